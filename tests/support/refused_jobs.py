"""A good job that the tests of refusals change until it must be refused."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import program
import refusals
import torch

NESTED = "[" * 200_000  # JSON or a part of it, nested more deeply than any parser should follow


def run(arguments, folder):
    """Runs the program on a job that it must accept."""
    process = subprocess.run(
        [program.binary(), *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr


class RefusedJobs(unittest.TestCase):
    """Has a job that can start, in folders of its own for each start at a time."""

    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "job"
        run(["init", cls.folder, "--preset", "tiny"], cls.temporary.name)
        config = {
            "model_path": "model.pt", "tokenizer_path": "tokenizer.model", "train_files": "train.txt",
            "eval_files": "eval.txt", "text_document": "paragraph", "output_dir": "out",
            "max_length": 32, "max_steps": 4, "num_threads": 1, "eval_max_batches": 1,
            "save_steps": 2, "tensorboard": False,
        }  # fmt: skip
        (cls.folder / "run.json").write_text(json.dumps(config))
        cls.make_files(cls.folder)
        # Each start has a folder that no other uses at the time.
        cls.folders = cls.copies(cls.folder, "")

    @classmethod
    def make_files(cls, folder):
        """Adds what the tests of a class need to the job before it is copied."""

    @staticmethod
    def copies(folder, name):
        folders = [f"{folder}-{name}{number}" for number in range(refusals.WORKERS)]
        for copy in folders:
            shutil.copytree(folder, copy, symlinks=True)
        return folders

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def assert_all_refused(self, rows, folders=None, observe_one=None):
        """Rows of name, arguments and codes. Returns the messages."""
        outcomes = refusals.observe_all(rows, folders or self.folders, observe_one)
        for (name, _, codes, *_), outcome in zip(rows, outcomes, strict=True):
            with self.subTest(name):
                self.assertEqual(refusals.problems_of(outcome, codes), [], outcome.message[-1000:])
        return [outcome.message.decode() for outcome in outcomes]
