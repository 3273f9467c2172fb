#!/usr/bin/env python3
"""scripts/compare_templates.py finds no difference from transformers for the templates of tests/data/jinja/templates.

    python tests/integration/compare_templates_test.py --binary build/release/pdl-train
"""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import program  # noqa: E402

TEMPLATES = ROOT / "tests" / "data" / "jinja" / "templates"
HAS_TRANSFORMERS = importlib.util.find_spec("transformers") is not None


def compare(folder, *options):
    command = [sys.executable, ROOT / "scripts" / "compare_templates.py", "--binary", program.binary(), *options, folder]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@unittest.skipUnless(HAS_TRANSFORMERS, "needs transformers")
class CompareTemplatesTest(unittest.TestCase):
    def test_texts_and_masks_are_those_of_transformers(self):
        done = compare(TEMPLATES, "--conversations", "12")
        self.assertEqual(done.returncode, 0, done.stderr)
        total = done.stdout.splitlines()[-1]
        self.assertIn(" 0 refused alone, 0 wrong", total)
        self.assertGreater(int(total.split()[1]), 50)

    def test_a_template_that_is_not_supported_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            template = "{% for m in messages %}{{ m.content | wordcount }}{% endfor %}"
            pathlib.Path(folder, "t.jinja").write_text(template)
            done = compare(folder, "--conversations", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("3 refused alone, 0 wrong", done.stdout)
        self.assertIn("uses the filter 'wordcount', which is not supported", done.stderr)


if __name__ == "__main__":
    program.main()
