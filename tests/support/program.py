"""The program under test: its path, from --binary or PDL_TRAIN_BINARY, and the start of the tests that run it."""

import argparse
import os
import sys
import unittest

_BINARY = "PDL_TRAIN_BINARY"
_STARTER = "PDL_TRAIN_STARTER"


def binary() -> str:
    """The absolute path of pdl-train; empty where none was named."""
    return os.environ.get(_BINARY, "")


def starter() -> str:
    """That of pdl_starter, from --starter, which makes many starts fast; empty where none was named."""
    return os.environ.get(_STARTER, "")


def main(needed: bool = True) -> None:
    """Takes --binary and --starter off the command line and leaves the rest to unittest.main()."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--binary", default=binary())
    parser.add_argument("--starter", default=starter())
    options, rest = parser.parse_known_args()
    if needed and not options.binary:
        sys.exit(f"name the program with --binary or {_BINARY}")
    for variable, path in ((_BINARY, options.binary), (_STARTER, options.starter)):
        if path:
            os.environ[variable] = os.path.abspath(path)
    unittest.main(module="__main__", argv=[sys.argv[0], *rest], warnings="ignore")
