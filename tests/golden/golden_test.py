#!/usr/bin/env python3
"""The program against the curves of the independent trainer, on an example that `pdl-train init` made.

example/ holds the files of `pdl-train init example --preset tiny`, three jobs on them and, for
each, what reference_trainer.py prints. To make a curve anew:

    cd tests/golden/example && python ../reference_trainer.py plain.run.json > plain.curve.json
"""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
COMPARE = HERE.parent.parent / "scripts" / "compare_reference.py"


class GoldenTest(unittest.TestCase):

    def test_curves_agree(self):
        compared = subprocess.run(
            [sys.executable, COMPARE, HERE / "example", "--binary", program.binary()],
            capture_output=True, text=True, check=False)
        self.assertEqual(compared.returncode, 0, compared.stdout + compared.stderr)
        for job in ("plain", "weighted", "options"):
            self.assertIn(job, compared.stdout)


if __name__ == "__main__":
    program.main()
