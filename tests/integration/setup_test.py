#!/usr/bin/env python3
"""scripts/setup.sh shows what CMake says where it fails, and keeps it in no file that somebody else could have put there."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Stands for cmake: says what it was asked for and which files of the script there are, and fails for the preset "bad".
CMAKE = """#!/bin/sh
echo "asked: $*"
ls -d "$TMPDIR"/* /tmp/pdl-configure* 2>/dev/null | sed 's/^/file: /'
[ "$2" != bad ]
"""


class SetupTest(unittest.TestCase):
    def configure(self, preset):
        with tempfile.TemporaryDirectory() as folder:
            temporary, tools = pathlib.Path(folder) / "tmp", pathlib.Path(folder) / "bin"
            temporary.mkdir()
            tools.mkdir()
            (tools / "cmake").write_text(CMAKE)
            (tools / "cmake").chmod(0o755)
            environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
            script = f"set -euo pipefail; source scripts/setup.sh; configure_and_build {preset}"
            done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, env=environment)
            self.assertEqual(list(temporary.iterdir()), [])
            return done

    def test_a_configuration_that_fails_is_shown(self):
        done = self.configure("bad")
        self.assertEqual(done.returncode, 1)
        self.assertIn("asked: --preset bad\n", done.stderr)
        self.assertIn("error: cmake --preset bad failed", done.stderr)
        self.assertNotIn("file: ", done.stderr)

    def test_one_that_succeeds_is_not(self):
        done = self.configure("good")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("asked: --build --preset good\n"), done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--starter")
    _, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
