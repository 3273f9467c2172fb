#!/usr/bin/env python3
"""The documents: links have targets, the README is short, and the program accepts the commands in it."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import program  # noqa: E402

README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^(?: {4,}| *```).*|`[^`\n]*`", re.MULTILINE)
EXIT_CONFIG = 2


def links(page):
    """The targets of a page's links, except web addresses."""
    targets = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in targets if not re.match(r"https?://", target)]


def anchors(page):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def target_of(page, link):
    """The file and the anchor that a link names."""
    path, _, anchor = link.partition("#")
    return (page.parent / path).resolve() if path else page, anchor


def run_program(*arguments):
    return subprocess.run([program.binary(), *map(str, arguments)], capture_output=True, text=True, check=False)


class DocumentsTest(unittest.TestCase):

    def test_links_lead_to_a_file_and_a_heading(self):
        for page in PAGES:
            for link in links(page):
                with self.subTest(page=str(page.relative_to(ROOT)), link=link):
                    target, anchor = target_of(page, link)
                    self.assertTrue(target.exists(), "there is no such file")
                    if anchor:
                        self.assertIn(anchor, anchors(target))

    def test_every_page_is_reached_from_the_readme(self):
        reached, new = set(), {README}
        while new:
            reached |= new
            pages = [page for page in new if page in PAGES]
            new = {target_of(page, link)[0] for page in pages for link in links(page)} - reached
        self.assertEqual([str(page) for page in PAGES if page not in reached], [])

    def test_the_readme_is_short(self):
        self.assertLessEqual(len(README.read_text(encoding="utf-8").splitlines()), 150)

    def test_the_readme_names_every_command(self):
        listed = re.search(r"\nCommands:\n((?: .*\n)+)", run_program("--help").stdout)[1]
        commands = re.findall(r"^  (\w+)", listed, re.MULTILINE)
        self.assertGreater(len(commands), 5)
        table = README.read_text(encoding="utf-8")
        self.assertEqual([name for name in commands if f"`pdl-train {name}" not in table], [])

    def test_configs_are_understood(self):
        example = re.search(r"^ +// pdl-train --config run.json\n(?: +.*\n)+", README.read_text(encoding="utf-8"),
                            re.MULTILINE)
        with tempfile.TemporaryDirectory() as folder:
            written = pathlib.Path(folder) / "run.json"
            written.write_text(example[0], encoding="utf-8")
            for config in (written, *sorted(ROOT.glob("configs/*.json"))):
                with self.subTest(config=config.name):
                    # The first thing that is wrong is that there is no model.
                    process = run_program("--config", config, "--output_dir", f"{folder}/run")
                    self.assertNotIn(process.returncode, (0, EXIT_CONFIG), process.stderr)
                    self.assertRegex(process.stderr, "model '.*' does not exist")


if __name__ == "__main__":
    program.main()
