"""The short version of scripts/compare_tokenizers.py finds no difference, and would find one.

    python tests/integration/compare_tokenizers_test.py --binary build/release/pdl-train

or with the binary in PDL_TRAIN_BINARY. Needs the packages tokenizers, sentencepiece and numpy.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import program  # noqa: E402

# Runs the program and raises the last id of one document in ten.
WRONG = """#!{python}
import json, subprocess, sys
result = subprocess.run([{binary!r}, *sys.argv[1:]], stdout=subprocess.PIPE)
for index, line in enumerate(result.stdout.splitlines()):
    document = json.loads(line)
    document["ids"][-1] += index % 10 == 0
    print(json.dumps(document))
sys.exit(result.returncode)
"""


def compare(binary, *options):
    command = [sys.executable, ROOT / "scripts" / "compare_tokenizers.py", "--binary", binary, "--quick", *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False)


class CompareTokenizersTest(unittest.TestCase):
    def test_nothing_differs(self):
        result = compare(program.binary())
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertRegex(result.stdout, r"\ntotal: \d{4,} documents compared, 0 differ\n\Z")

    def test_a_wrong_id_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            wrong = pathlib.Path(folder) / "wrong"
            wrong.write_text(WRONG.format(python=sys.executable, binary=program.binary()))
            wrong.chmod(0o755)
            result = compare(wrong, "--only", "files")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertNotIn(" 0 differ", result.stdout)


if __name__ == "__main__":
    program.main()
