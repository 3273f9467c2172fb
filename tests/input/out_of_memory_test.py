#!/usr/bin/env python3
"""Too little memory ends with its exit code and one line, wherever it runs out.

    .venv/bin/python tests/input/out_of_memory_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY.
"""

import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
import refusals  # noqa: E402

MEBIBYTE = 1 << 20
# Address space on top of what the program needs to start at all.
MORE = [mebibytes * MEBIBYTE for mebibytes in (1, 4, 10, 20, 30, 45, 60, 80, 100, 130, 170, 250, 400, 1000)]


def limit_to(num_bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))


class OutOfMemoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        subprocess.run([program.binary(), "init", "demo", "--preset", "tiny"], cwd=cls.folder, check=True, capture_output=True)
        cls.to_start = cls.least_to_start()

    @classmethod
    def least_to_start(cls):
        """The address space in which --version works, to some MiB."""
        too_little, enough = 0, 1 << 36
        while enough - too_little > 4 * MEBIBYTE:
            middle = (too_little + enough) // 2
            works = refusals.observe(["--version"], cls.folder, limit=limit_to(middle)).code == 0
            too_little, enough = (too_little, middle) if works else (middle, enough)
        return enough

    def codes_of(self, arguments, *, leaves):
        """The exit codes under growing limits. `leaves`: a run that had begun may leave files."""
        codes = []
        for more in MORE:
            with self.subTest(arguments=arguments, more_mebibytes=more // MEBIBYTE):
                before = set(self.folder.iterdir())
                outcome = refusals.observe(arguments, self.folder, limit=limit_to(self.to_start + more))
                codes.append(outcome.code)
                if outcome.code == 0:
                    continue
                if leaves:
                    outcome.changes = []
                self.assertEqual(refusals.problems_of(outcome, [refusals.OUT_OF_MEMORY]), [], outcome.message[-1000:])
                self.assertIn("error: out of memory", outcome.message.decode())
                self.assertEqual(set(self.folder.iterdir()), before)
        return codes

    def test_init(self):
        codes = self.codes_of(["init", "new", "--preset", "tiny"], leaves=False)
        self.assertEqual({codes[0], codes[-1]}, {refusals.OUT_OF_MEMORY, 0})

    def test_the_example_job(self):
        codes = self.codes_of(["--config", "demo/run.json", "--max_steps", "2"], leaves=True)
        self.assertEqual({codes[0], codes[-1]}, {refusals.OUT_OF_MEMORY, 0})

    def test_a_batch_that_is_too_large_names_its_size(self):
        flags = ["--per_device_train_batch_size", "2000000", "--max_length", "2", "--num_train_epochs", "1"]
        arguments = ["--config", "demo/run.json", *flags, "--output_dir", "large"]
        outcome = refusals.observe(arguments, self.folder, limit=limit_to(self.to_start + 200 * MEBIBYTE))
        outcome.changes = []
        self.assertEqual(refusals.problems_of(outcome, [refusals.OUT_OF_MEMORY]), [], outcome.message[-1000:])
        self.assertRegex(outcome.message.decode(), r"error: out of memory: .*\d+ bytes.*per_device_train_batch_size")
        shutil.rmtree(self.folder / "large", ignore_errors=True)


if __name__ == "__main__":
    program.main()
