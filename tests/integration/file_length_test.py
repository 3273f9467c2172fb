#!/usr/bin/env python3
"""No file that people write and read is too long: each is about one thing, which its name says."""

import argparse
import fnmatch
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAX_LINES = 450

# Data files, which programs write and read. A pattern also matches paths in folders below its own.
DATA = {
    "tests/fuzz/corpus/*": "inputs of the fuzz targets",
    "tests/golden/example/*": "a generated corpus with its tokenizer, model and expected curves",
    "tests/data/*.json": "what other programs make of given input",
    "tests/data/*.safetensors": "weights, and what other programs compute with them",
}


def tracked(root):
    """Paths from the root of the files that git tracks."""
    command = ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z"]  # whoever owns the folder
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if (root / path).is_file()]


def is_data(path):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in DATA)


def num_lines(path):
    return len(path.read_bytes().splitlines())


def too_long(root, paths):
    """The paths whose files are, with their lines."""
    lines = {path: num_lines(root / path) for path in paths if not is_data(path)}
    return {path: count for path, count in lines.items() if count > MAX_LINES}


class FileLengthTest(unittest.TestCase):
    def test_a_file_of_one_line_more_is_seen_unless_it_is_data(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            paths = {"src/longest.cpp": 450, "src/longer.cpp": 451, "tests/data/longer.py": 451,
                     "tests/data/templates/longer.json": 451, "tests/fuzz/corpus/json/longer": 451}  # fmt: skip
            for path, count in paths.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text("line\n" * count)
            self.assertEqual(too_long(root, paths), {"src/longer.cpp": 451, "tests/data/longer.py": 451})

    @unittest.skipUnless((ROOT / ".git").exists(), "no checkout, in which git knows the files of the project")
    def test_no_file_of_the_project_is_too_long(self):
        paths = tracked(ROOT)
        self.assertGreater(len([path for path in paths if not is_data(path)]), 300)
        found = too_long(ROOT, paths)
        self.assertEqual(found, {}, f"longer than {MAX_LINES} lines: split these where their subjects divide")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--starter")
    _, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
