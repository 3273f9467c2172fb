#!/usr/bin/env python3
"""Counting a corpus in shards and merging them, against the table of the whole; and the picture of a table.

    .venv/bin/python tests/cli/frequency_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY.
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "count_slurm.sh"
SVG = "{http://www.w3.org/2000/svg}"
TIMEOUT_S = 20
CONFIG, DATA, STORAGE = 2, 3, 6


class ProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "demo"
        cls.run_program("init", "demo", "--preset", "tiny", folder=cls.temporary.name)
        cls.files = ["--tokenizer_path", "tokenizer.model", "--text_document", "paragraph",
                     "train.txt", "eval.txt"]  # fmt: skip
        cls.whole = cls.run_program("count", *cls.files).stdout
        (cls.folder / "whole.json").write_text(cls.whole)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def run_program(cls, *arguments, folder=None, code=0, environment=None):
        """Runs the program, which must exit with `code` and, if that is not 0, say why in one line."""
        process = program.run(*arguments, folder=folder or cls.folder, timeout_s=TIMEOUT_S, environment=environment)
        assert process.returncode == code, f"{arguments}: {process.returncode} {process.stderr}"
        errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == (code != 0), process.stderr
        assert code == 0 or (process.stdout == "" and len(errors[0].encode()) <= 300), process
        process.error = errors[0] if errors else ""
        return process

    def count_shards(self, number, prefix, files=None):
        names = [f"{prefix}-{index}.json" for index in range(number)]
        for index, name in enumerate(names):
            self.run_program("count", "--shard", f"{index}/{number}", "--output", name,
                             *(files or self.files))  # fmt: skip
        return names


class ShardsTest(ProgramTest):
    def test_shards_merge_to_the_bytes_of_the_whole(self):
        for number in (1, 4):
            with self.subTest(number):
                names = self.count_shards(number, f"of{number}")
                tables = [json.loads((self.folder / name).read_text()) for name in names]
                for index, table in enumerate(tables):
                    self.assertEqual(table["shard"], {"index": index, "count": number})
                    self.assertEqual(table["text_options"]["text_document"], "paragraph")
                self.assertEqual({table["corpus_sha256"] for table in tables},
                                 {json.loads(self.whole)["corpus_sha256"]})  # fmt: skip
                for order in itertools.islice(itertools.permutations(names), 2):
                    merged = self.run_program("count", "--merge", *order).stdout
                    self.assertEqual(merged, self.whole)
                self.run_program("count", "--merge", *names, "--output", "merged.json")
                self.assertEqual((self.folder / "merged.json").read_text(), self.whole)

    def test_more_shards_than_documents(self):
        (self.folder / "two.txt").write_text("one\n\ntwo\n")
        files = [*self.files[:4], "two.txt"]
        names = self.count_shards(5, "few", files)
        self.assertEqual(json.loads((self.folder / names[4]).read_text())["total"], 0)
        self.assertEqual(self.run_program("count", "--merge", *names).stdout,
                         self.run_program("count", *files).stdout)  # fmt: skip

    def test_merged_table_is_used_and_a_shard_is_not(self):
        names = self.count_shards(2, "used")
        self.run_program("count", "--merge", *names, "--output", "used.json")
        check = ["check", "--config", "run.json", "--pdl_frequency_table"]
        self.run_program(*check, "used.json")
        error = self.run_program(*check, names[1], code=DATA).error
        self.assertIn("used-1.json' is shard 1 of 2; merge", error)
        self.run_program("weights", names[0], code=DATA)

    def test_wrong_sets_are_refused(self):
        one, two, three = self.count_shards(3, "set")
        lines = self.count_shards(3, "line", [*self.files[:3], "line", *self.files[4:]])
        other = self.count_shards(3, "other", [*self.files[:4], "eval.txt"])
        fourth = self.count_shards(4, "fourth")
        cases = [
            ([one, three], "missing: 1;"),
            ([two], "missing: 0, 2;"),
            ([one, two, two, three], f"'{two}' and '{two}' overlap"),
            ([one, lines[1], three], f"'{one}' and '{lines[1]}' were counted with different text"),
            ([one, other[1], three], f"'{one}' and '{other[1]}' are of different corpora"),
            ([one, fourth[1], three], "shard 0 of 3 and shard 1 of 4"),
            ([one, two, "whole.json"], "'whole.json' is no shard"),
            ([one, two, "missing.json"], "missing.json"),
            ([one, two, "train.txt"], "train.txt"),
        ]
        for names, message in cases:
            with self.subTest(names):
                error = self.run_program("count", "--merge", *names, "--output", "no.json", code=DATA).error
                self.assertIn(message, error)
                self.assertFalse((self.folder / "no.json").exists())

    def test_a_kind_of_file_that_is_not_text_is_named_as_it_was_typed(self):
        (self.folder / "x.csv").write_text("a")
        for command in ("count", "tokenize"):
            error = self.run_program(command, "--tokenizer_path", "tokenizer.model", "x.csv", code=CONFIG).error
            self.assertRegex(error, r'^error: FILE: ".*x.csv" is not allowed; must end in ')

    def test_usage(self):
        part = ["--shard", "0/2"]
        for text in ("", "/", "1", "2/2", "-1/2", "0/0", "0/-1", "1/2/3", "a/b", "0/2 ", " 0/2", "+0/2",
                     "0x0/2", "0.0/2", "0/99999999999999999999", "\x1b[31m/2"):  # fmt: skip
            with self.subTest(text):
                error = self.run_program("count", f"--shard={text}", *self.files, code=CONFIG).error
                if text:
                    self.assertIn("--shard", error)
        for arguments in (
            part,
            ["--config", "run.json", *part],
            ["--merge"],
            ["--merge", "whole.json", "--config", "run.json"],
            ["--merge", "whole.json", *part],
            ["--merge", "whole.json", "--tokenizer_path", "tokenizer.model"],
            ["train.txt", "--merge", "whole.json"],
        ):
            with self.subTest(arguments):
                self.run_program("count", *arguments, code=CONFIG)

    def test_blank_corpus_is_refused_when_its_shards_are_merged(self):
        (self.folder / "blank.txt").write_text(" \n\n \n")
        names = self.count_shards(2, "blank", [*self.files[:4], "blank.txt"])
        self.run_program("count", "--merge", *names, code=DATA)

    def test_shards_of_a_large_file_are_parts_of_it(self):
        lines = [f"line {i} of a text with a number\n" for i in range(120_000)]
        (self.folder / "large.txt").write_text("".join(lines))
        files = ["--tokenizer_path", "tokenizer.model", "--text_document", "line", "large.txt"]
        whole = self.run_program("count", *files).stdout
        for number in (2, 3):
            names = self.count_shards(number, f"large{number}", files)
            totals = [json.loads((self.folder / name).read_text())["total"] for name in names]
            self.assertGreater(min(totals), 0.2 * sum(totals))
            self.assertEqual(self.run_program("count", "--merge", *names).stdout, whole)

    def test_slurm_script(self):
        base = {**os.environ, "PDL_TRAIN": program.binary(), "SLURM_ARRAY_TASK_COUNT": "3"}
        for index in range(3):
            subprocess.run(
                [SCRIPT, "tokenizer.model", "by slurm", "train.txt", "eval.txt", "--text_document", "paragraph"],
                cwd=self.folder, env={**base, "SLURM_ARRAY_TASK_ID": str(index)}, check=True,
                capture_output=True, timeout=TIMEOUT_S)  # fmt: skip
        names = [str(path) for path in (self.folder / "by slurm").iterdir()]
        self.assertEqual(len(names), 3)
        self.assertEqual(self.run_program("count", "--merge", *names).stdout, self.whole)
        outside = subprocess.run([SCRIPT, "tokenizer.model", "x", "train.txt"], cwd=self.folder,
                                 env={**base, "SLURM_ARRAY_TASK_ID": "3"}, check=False,
                                 capture_output=True, timeout=TIMEOUT_S)  # fmt: skip
        self.assertEqual(outside.returncode, CONFIG)


class PlotTest(ProgramTest):
    def test_a_plot_that_is_no_svg_is_refused(self):
        before = sorted(self.folder.iterdir())
        for name in ("w.png", "w.pdf", "w", "w.svg.gz", "svg", ""):
            with self.subTest(name):
                error = self.run_program("weights", "whole.json", "--plot", name, code=CONFIG).error
                self.assertIn(f'--plot: "{name}" does not end in .svg', error)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def plot(self, table, *flags):
        self.run_program("weights", table, "--plot", "plot.svg", "--output", "w.tsv", *flags)
        return (self.folder / "plot.svg").read_text()

    def curves(self, svg):
        """The points of the two curves; those of the legend come before them."""
        root = xml.etree.ElementTree.fromstring(svg)
        self.assertEqual(root.tag, SVG + "svg")
        found = {}
        for line in root.iter(SVG + "polyline"):
            pairs = [pair.split(",") for pair in line.get("points").split()]
            found[line.get("class").split()[-1]] = [(float(x), float(y)) for x, y in pairs]
        return root, found

    def test_picture_of_the_whole_table(self):
        svg = self.plot("whole.json", "--pdl_alpha", "0.5", "--pdl_max_ratio", "20")
        self.assertEqual(svg, self.plot("whole.json", "--pdl_alpha", "0.5", "--pdl_max_ratio", "20"))
        root, curves = self.curves(svg)
        counts = json.loads(self.whole)["counts"]
        for name, most in (("count", sum(count > 0 for count in counts)), ("weight", len(counts))):
            points = curves[name]
            self.assertTrue(20 < len(points) <= most, (name, len(points)))
            self.assertEqual(points, sorted(points, reverse=name == "weight", key=lambda point: point[1]))
            xs = [x for x, _ in points]
            self.assertEqual(xs, sorted(xs))
        texts = [text.text for text in root.iter(SVG + "text")]
        for expected in ("count", "weight", "rank of the token by count", "1", "10", "100", "whole.json",
                         "pdl_alpha 0.5, pdl_epsilon 1, pdl_max_ratio 20"):  # fmt: skip
            self.assertIn(expected, texts)
        for forbidden in ("<script", "href", "url(", "@import"):
            self.assertNotIn(forbidden, svg)

    def test_a_quarter_of_a_million_types_stay_small(self):
        counts = [10**9 // rank for rank in range(1, 250_001)]
        table = dict(json.loads(self.whole), counts=counts, vocab_size=len(counts), total=sum(counts))
        (self.folder / "large.json").write_text(json.dumps(table))
        svg = self.plot("large.json")
        self.assertLess(len(svg.encode()), 100_000)
        _, curves = self.curves(svg)
        self.assertGreater(len(curves["count"]), 300)

    def test_names_that_xml_or_a_terminal_would_take_for_more(self):
        for name in ("<b>&amp;\"'.json", "a\x1b[31m\u202e.json", "\ufffe.json", "]]>.json"):
            with self.subTest(name):
                (self.folder / name).write_text(self.whole)
                root, _ = self.curves(self.plot(name))
                self.assertEqual(len(list(root)), len(list(self.curves(self.plot("whole.json"))[0])))
        raw = os.fsencode(self.folder) + b"/\xff.json"
        pathlib.Path(os.fsdecode(raw)).write_text(self.whole)
        self.curves(self.plot(os.fsdecode(b"\xff.json")))

    def test_place_that_cannot_be_written(self):
        for place in ("train.txt/plot.svg", "no/such/folder/plot.svg"):
            self.run_program("weights", "whole.json", "--plot", place, code=STORAGE)


if __name__ == "__main__":
    program.main()
