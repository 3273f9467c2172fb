#!/usr/bin/env python3
"""A resumed run writes the metrics and the weights of the uninterrupted one, byte for byte."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
from run_folder import cut_back, lines, metrics  # noqa: E402


def run(*arguments):
    process = program.run(*arguments)
    assert process.returncode == 0, process.stderr
    return process


class ResumeTest(unittest.TestCase):

    def check_job(self, *flags):
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary)
            run("init", root / "job", "--preset", "tiny")
            common = ["--config", root / "job" / "run.json", "--max_steps", 24, "--eval_steps", 8, "--logging_steps", 5,
                      "--save_steps", 6, "--save_total_limit", 0, *flags]
            whole = root / "whole"
            run(*common, "--output_dir", whole)
            for step in (6, 12, 18):
                resumed = root / f"from-{step}"
                shutil.copytree(whole, resumed)
                cut_back(resumed, step)
                run(*common, "--output_dir", resumed)
                self.assertEqual([line["step"] for line in lines(resumed, "resume")], [step])
                self.assertEqual(metrics(resumed), metrics(whole), step)
                for name in ("model.pt", "model.safetensors", "checkpoint-24/optimizer.safetensors"):
                    self.assertEqual((resumed / name).read_bytes(), (whole / name).read_bytes(), (step, name))

    def test_packed(self):
        self.check_job("--gradient_accumulation_steps", 3)

    def test_padded_across_epochs(self):
        self.check_job("--packing", "false", "--per_device_train_batch_size", 64, "--pdl_alpha", 0)

    def test_a_finished_run_does_nothing(self):
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary)
            run("init", root / "job", "--preset", "tiny")
            run("--config", root / "job" / "run.json", "--max_steps", 4)
            before = {path: path.read_bytes() for path in (root / "job").rglob("*") if path.is_file()}
            again = run("--config", root / "job" / "run.json", "--max_steps", 4)
            self.assertIn("complete", again.stderr)
            after = {path: path.read_bytes() for path in (root / "job").rglob("*") if path.is_file()}
            self.assertEqual(before, after)
            run("--config", root / "job" / "run.json", "--max_steps", 6)
            summary = json.loads((root / "job" / "run" / "summary.json").read_text())
            self.assertEqual(summary["steps"], 6)

    def test_a_run_that_goes_on_is_not_complete_until_its_end(self):
        with tempfile.TemporaryDirectory() as temporary:
            job = pathlib.Path(temporary) / "job"
            run("init", job, "--preset", "tiny")
            run("--config", job / "run.json", "--max_steps", 4)
            self.assertTrue((job / "run" / "summary.json").exists())
            longer = subprocess.Popen(
                [program.binary(), "--config", job / "run.json", "--max_steps", "1000000", "--save_steps", "5"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while not (job / "run" / "checkpoint-10").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            longer.kill()
            longer.wait()
            self.assertTrue(list((job / "run").glob("checkpoint-*")))
            self.assertFalse((job / "run" / "summary.json").exists())


if __name__ == "__main__":
    program.main()
