#!/usr/bin/env python3
"""--help: commands come first, then the keys of run.json in the groups of docs/configuration.md."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import program  # noqa: E402

KEYS = "Keys of run.json, which are also flags"


def help_of(*command):
    process = program.run(*command, "--help")
    assert process.returncode == 0, process.stderr
    return process.stdout


def documented_groups():
    """{group: its keys}, in the order of the page."""
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)[1:]
    return {title: re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
            for title, text in zip(sections[::2], sections[1::2], strict=True)}


def sections_of(text):
    """{heading: the names that its lines begin with}, in order."""
    sections = re.split(r"^(\S.*):\n", text, flags=re.MULTILINE)[1:]
    return {title: re.findall(r"^  (?:-h,)?(?:--)?(\w+)", body, re.MULTILINE)
            for title, body in zip(sections[::2], sections[1::2], strict=True)}


class HelpTest(unittest.TestCase):

    def test_commands_come_first_then_keys_in_their_groups(self):
        groups = documented_groups()
        self.assertGreater(sum(map(len, groups.values())), 50)
        sections = sections_of(help_of())
        self.assertEqual(list(sections), ["Commands", "Options", *groups])
        self.assertEqual(sections["Commands"][:3], ["train", "init", "check"])
        self.assertEqual(sections["Options"], ["help", "version", "config", "profile"])
        for group, keys in groups.items():
            self.assertEqual(sections[group], keys)

    def test_a_command_has_its_own_options_then_its_keys_in_their_groups(self):
        groups = documented_groups()
        for command in ("train", "check", "count", "weights", "tokenize", "eval"):
            with self.subTest(command):
                text = help_of(command)
                sections = sections_of(text)
                own = [title for title in sections if title not in groups]
                of_keys = [title for title in groups if title in sections]
                self.assertEqual(list(sections), own + of_keys)
                self.assertLessEqual(set(own), {"Arguments", "Options"})
                self.assertTrue(of_keys)
                self.assertEqual(text.count(KEYS), 1)
                for group in of_keys:
                    self.assertEqual(sections[group], [key for key in groups[group] if key in sections[group]])

    def test_a_command_has_the_keys_that_it_uses(self):
        sections = sections_of(help_of("weights"))
        self.assertEqual(sections["Power-Law Decay Loss"], [
            "pdl_alpha", "pdl_epsilon", "pdl_frequency", "pdl_unseen", "pdl_special_tokens", "pdl_max_ratio"])
        self.assertEqual(sections["Model and tokenizer"], ["tokenizer_path"])
        for group, keys in documented_groups().items():
            self.assertEqual(sections_of(help_of("train"))[group], keys)

    def test_commands_without_keys_have_no_heading_for_them(self):
        for command in ("init", "verify", "schema"):
            self.assertNotIn(KEYS, help_of(command))


if __name__ == "__main__":
    program.main()
