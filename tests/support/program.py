"""The program under test: its path, from --binary or PDL_TRAIN_BINARY, and the start of the tests that run it."""

import argparse
import os
import sys
import unittest

_VARIABLE = "PDL_TRAIN_BINARY"


def binary() -> str:
    """The absolute path of pdl-train; empty where none was named."""
    return os.environ.get(_VARIABLE, "")


def main(needed: bool = True) -> None:
    """Takes --binary off the command line and leaves the rest to unittest.main()."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--binary", default=binary())
    options, rest = parser.parse_known_args()
    if needed and not options.binary:
        sys.exit(f"name the program with --binary or {_VARIABLE}")
    if options.binary:
        os.environ[_VARIABLE] = os.path.abspath(options.binary)
    unittest.main(module="__main__", argv=[sys.argv[0], *rest], warnings="ignore")
