"""The program under test: its path, from --binary or PDL_TRAIN_BINARY, runs of it, and the start of the tests."""

import argparse
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

_BINARY = "PDL_TRAIN_BINARY"
_STARTER = "PDL_TRAIN_STARTER"


def binary() -> str:
    """The absolute path of pdl-train; empty if none was named."""
    return os.environ.get(_BINARY, "")


def starter() -> str:
    """That of pdl_starter, from --starter, which makes many starts fast; empty where none was named."""
    return os.environ.get(_STARTER, "")


class Fork:
    """A start by pdl_starter, of which there are as many as starts at a time."""

    _idle = []

    def __init__(self, arguments, folder, output, message):
        try:
            self._starter = self._idle.pop()
        except IndexError:
            self._starter = subprocess.Popen([starter()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        strings = b"".join(os.fsencode(text) + b"\0" for text in (folder, output, message, *arguments))
        self._starter.stdin.write(struct.pack("=I", len(strings)) + strings)
        self._starter.stdin.flush()
        self.pid = int(self._starter.stdout.readline())

    def wait(self):
        """Wait status, seconds of CPU, bytes of memory at the most."""
        status, microseconds, kibibytes = map(int, self._starter.stdout.readline().split())
        self._idle.append(self._starter)
        return status, microseconds / 1e6, kibibytes << 10


def _run_fork(arguments, folder, timeout_s):
    with tempfile.TemporaryDirectory() as own:
        output, message = (os.path.join(own, name) for name in ("output", "message"))
        process = Fork(arguments, folder, output, message)
        timer = threading.Timer(timeout_s, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        code = os.waitstatus_to_exitcode(process.wait()[0])
        timer.cancel()
        texts = [pathlib.Path(path).read_text(encoding="utf-8") for path in (output, message)]
        return subprocess.CompletedProcess(arguments, code, *texts)


def run(*arguments, folder=".", timeout_s=60, stdin=None, environment=None):
    """Runs the program in `folder`, with an empty stdin or this text in it, and returns a CompletedProcess.

    By pdl_starter, if it is named and neither stdin nor an environment is wanted: loading LibTorch takes longer than most
    of what is run.
    """
    arguments = [str(argument) for argument in arguments]
    folder = os.path.abspath(folder)
    if starter() and stdin is None and environment is None:
        return _run_fork(arguments, folder, timeout_s)
    return subprocess.run(
        [binary(), *arguments], cwd=folder, capture_output=True, input=stdin or "", encoding="utf-8", timeout=timeout_s,
        check=False, env=environment,
    )  # fmt: skip


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
