"""scripts/export_model.py run in the process of a test, with folders for what it reads and writes."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))

import export_model
from hf_export import progress
from small_models import make_model
import torch
import transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def run_exporter(*arguments, shows_after_s=3600):
    """Runs the exporter in this process; returns its exit code, stdout and stderr.

    Progress is shown after `shows_after_s`: a slow machine must not change what a test finds on stderr.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(progress, "FIRST_AFTER_S", shows_after_s),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        exit_code = export_model.main(list(arguments))
    return exit_code, stdout.getvalue(), stderr.getvalue()


class TemporaryFolderTest(unittest.TestCase):
    """Has an empty folder per test, with a place for a model and one for the output."""

    def setUp(self):
        self.make_folders()

    def make_folders(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.model_folder = os.path.join(temporary.name, "model")
        self.output_folder = os.path.join(temporary.name, "output")
        self.output = os.path.join(self.output_folder, "model.pt")
        os.mkdir(self.output_folder)

    def export(self, arguments, *flags):
        """Makes and exports a model; returns the stock model and the report."""
        stock = make_model(arguments, self.model_folder)
        exit_code, stdout, stderr = run_exporter(self.model_folder, "--output", self.output, *flags)
        self.assertEqual(exit_code, 0, stderr)
        self.assertEqual(os.listdir(self.output_folder), ["model.pt"])
        return stock, json.loads(stdout)

    def load(self):
        return torch.jit.load(self.output)

    def assert_refused(self, exit_code, reason, arguments):
        """Requires a failure in one line that leaves nothing behind."""
        before = os.listdir(self.output_folder)
        actual, stdout, stderr = run_exporter(*arguments)
        self.assertEqual(actual, exit_code, stderr)
        self.assertEqual(stdout, "")
        self.assertRegex(stderr, r"\Aerror: [^\n]*\n\Z")
        self.assertIn(reason, stderr)
        self.assertLessEqual(len(stderr), 301)
        self.assertEqual(os.listdir(self.output_folder), before)

    def assert_not_exported(self, exit_code, reason, *flags):
        arguments = (self.model_folder, "--output", self.output, *flags)
        self.assert_refused(exit_code, reason, arguments)
