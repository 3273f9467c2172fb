#!/usr/bin/env python3
"""bench/compare.py: pdl-train and the plain loop compute the same losses, and all is measured."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

COMPARE = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "compare.py"
STEPS = 4


def run_compare(*arguments):
    command = [sys.executable, "-B", str(COMPARE), "--python", sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class BenchCompareTest(unittest.TestCase):
    def test_programs_do_the_same_work(self):
        with tempfile.TemporaryDirectory() as folder:
            job, json_path = os.path.join(folder, "job"), os.path.join(folder, "figures.json")
            subprocess.run([program.binary(), "init", job], capture_output=True, check=True)
            arguments = ["--model", os.path.join(job, "model.pt")]
            arguments += ["--tokenizer", os.path.join(job, "tokenizer.model")]
            arguments += ["--rows", "2", "--length", "32", "--steps", str(STEPS), "--repeats", "1"]
            # The names that need no more packages than the other tests.
            arguments += ["--threads", "1", "--only", "loop", "pdl-train"]
            done = run_compare("--binary", program.binary(), "--json", json_path, *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(json_path, encoding="utf-8") as file:
                figures = json.load(file)
        self.assertIn("| pdl-train |", done.stdout)
        (results,) = figures["rounds"]
        self.assertEqual(list(results), ["loop", "pdl-train"])
        for result in results.values():
            self.assertEqual(len(result["losses"]), STEPS)
            self.assertEqual(len(result["step_seconds"]), STEPS)
            self.assertGreater(result["start_seconds"], 0)
            self.assertGreaterEqual(result["run_seconds"] + 1e-6, sum(result["step_seconds"]))
            self.assertGreater(result["peak_bytes"], 10 * 2**20)
        for loss, expected in zip(results["pdl-train"]["losses"], results["loop"]["losses"]):
            self.assertAlmostEqual(loss / expected, 1, delta=1e-5)

    def test_wrong_arguments_are_usage_errors(self):
        for arguments in (["--steps", "2"], ["--model", "model.pt"], ["--only", "other"]):
            done = run_compare("--binary", program.binary(), *arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(arguments[0], done.stderr)


if __name__ == "__main__":
    program.main()
