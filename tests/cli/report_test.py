#!/usr/bin/env python3
"""The command report: the page of runs whose figures are known beforehand.

    .venv/bin/python tests/cli/report_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY.
"""

import html.parser
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
import synthetic_runs  # noqa: E402

WORDS = ("helps", "hurts", "no difference", "not shown")
VOID = {"meta", "br"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "nav", "section", "h1", "h2", "h3", "h4", "p", "a", "ul", "li", "b",
    "i", "code", "mark", "br", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure",
    "figcaption", "svg", "desc", "rect", "path", "text",
}  # fmt: skip
NUMBERS = re.compile(r"[-MLHVlmhvaz0-9. ]+")
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u034f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]")


class Page(html.parser.HTMLParser):
    """Parses strictly: every element that is opened is closed, in order, and is one that the page may have."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.ids, self.links = [], [], [], []
        self.text, self.titles, self.figures, self.tables, self.verdict, self.marks = "", [], [], [], "", []
        self.feed(source)
        self.close()
        if self.open:
            self.problems.append(f"left open: {self.open}")

    def handle_starttag(self, tag, attributes):
        if tag not in ALLOWED:
            self.problems.append(f"element {tag}")
        names = [name for name, _ in attributes]
        if len(set(names)) != len(names):
            self.problems.append(f"attribute twice in {tag}")
        for name, value in attributes:
            if name.startswith("on") or name in ("src", "style", "srcset", "xlink:href") or "://" in value or "url(" in value:
                self.problems.append(f"attribute {name}={value}")
            if name in ("d", "x", "y", "width", "height", "viewBox") and not NUMBERS.fullmatch(value):
                self.problems.append(f"{name}={value}")
            if name == "href":
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if tag == "figure":
            self.figures.append({"svg": 0, "table": 0, "title": "", "desc": ""})
        if tag in ("svg", "table") and "figure" in self.open:
            self.figures[-1][tag] += 1
        if tag == "svg" and "figure" not in self.open:
            self.problems.append("svg outside a figure")
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        if tag == "tr":
            self.tables[-1]["rows"].append([])
        if tag in ("th", "td"):
            self.tables[-1]["rows"][-1].append("")
        self.is_verdict = ("class", "verdict") in attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        if tag not in ("rect", "path"):
            self.problems.append(f"{tag}/ closed in itself")
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            return
        self.text += data
        if self.open[-1:] == ["title"] and "svg" not in self.open:
            self.titles.append(data)
        for name in ("title", "desc"):
            if self.open[-2:] == ["svg", name]:
                self.figures[-1][name] += data
        if self.open[-1:] == ["p"] and self.is_verdict:
            self.verdict += data
        if "mark" in self.open:
            self.marks.append(data)
        if "table" in self.open:
            if "caption" in self.open:
                self.tables[-1]["caption"] += data
            elif self.open[-1] in ("th", "td", "b", "i", "code"):
                self.tables[-1]["rows"][-1][-1] += data

    def handle_decl(self, declaration):
        if declaration != "DOCTYPE html":
            self.problems.append(declaration)

    def table(self, begin):
        return next(table["rows"] for table in self.tables if table["caption"].startswith(begin))


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.temporary.name)
        cls.runs = synthetic_runs.write_sweep(cls.root / "sweep", text=synthetic_runs.HOSTILE)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def source(self, *runs, folder=None):
        """The bytes of the page of these runs."""
        output = self.root / "page.html"
        process = program.run("report", *runs, "--output", output, folder=folder or self.root)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stdout, "")
        self.assertEqual([path for path in self.root.iterdir() if path.name.startswith(".tmp")], [])
        return output.read_bytes()

    def page(self, *runs, folder=None):
        """The page, parsed and held to what every page must be."""
        source = self.source(*runs, folder=folder).decode("utf-8")
        page = Page(source)
        self.assertEqual(page.problems, [])
        self.assertEqual(len(set(page.ids)), len(page.ids))
        for link in page.links:
            self.assertIn(link.removeprefix("#"), page.ids)
            self.assertTrue(link.startswith("#"))
        for figure in page.figures:
            self.assertEqual((figure["svg"], figure["table"]), (1, 1))
            self.assertTrue(figure["title"].strip() and figure["desc"].strip())
        for table in page.tables:
            self.assertEqual({len(row) for row in table["rows"]}, {len(table["rows"][0])}, table["caption"])
            self.assertGreater(len(table["rows"]), 1, table["caption"])
        self.assertEqual(len({table["caption"] for table in page.tables}), len(page.tables))
        self.assertNotRegex(source, HIDDEN)
        self.assertTrue(source.startswith('<!DOCTYPE html>\n<html lang="en">'))
        self.assertTrue(page.titles[0].strip())
        self.assertNotRegex(source.split("</style>")[0], r"@import|url\(|http")
        return page

    def changed_run(self, name, change, alpha=0.25, seed=1):
        """A run of its own, changed by change(folder)."""
        folder = self.root / "changed" / name
        shutil.rmtree(folder, ignore_errors=True)
        synthetic_runs.write_run(folder, alpha, seed)
        change(folder)
        return folder

    def test_what_a_page_must_not_have_is_seen(self):
        good = "<!DOCTYPE html><html><p>a<br>b</p></html>"
        self.assertEqual(Page(good).problems, [])
        for bad in ("<p><b>a</p></b>", "<p>", "</p>", "<script></script>", '<p onclick="x">a</p>', '<a href="http://a.b/">a</a>',
                    "<svg></svg>", '<path d="M1 nan"/>', '<p style="color: red">a</p>', "<p/>"):  # fmt: skip
            self.assertNotEqual(Page(good + bad).problems, [], bad)

    # ------------------------------------------------------------------ what it says

    def test_the_verdict_is_that_of_compare(self):
        process = program.run("compare", *self.runs, "--json")
        self.assertEqual(process.returncode, 0, process.stderr)
        arms = json.loads(process.stdout)["arms"]
        page = self.page(*self.runs)
        best = min((arm for arm in arms if arm["verdict"] == "helps"), key=lambda arm: arm["G"]["mean"])
        begin = page.text[:600]
        for text in ("helps", f"alpha {best['alpha']}", *(f"{best['G'][key]:.3f}" for key in ("mean", "low", "high")), "5 paired seeds", "next: "):
            self.assertIn(text, begin)
            self.assertIn(text, page.verdict)
        rows = page.table("G in nats")
        for row, arm in zip(rows[1:], arms, strict=True):
            self.assertEqual(row[:3], [f"{arm['alpha']:g}", arm["verdict"], f"{arm['G']['mean']:.3f}"])
            for value in arm["G"]["per_seed"]:
                self.assertIn(f"{value:.3f}", row[-1])

    def test_every_verdict_has_its_word_and_advice(self):
        for gain, seeds, noise, word, advice in ((0.2, 5, 1, "helps", "--logit_bias"), (-0.5, 5, 1, "hurts", "alpha 0"),
                                                 (0.0, 5, 0, "no difference", "simpler"), (0.2, 2, 1, "not shown", "seeds")):  # fmt: skip
            with self.subTest(word=word):
                root = self.root / word.replace(" ", "-")
                shutil.rmtree(root, ignore_errors=True)
                runs = synthetic_runs.write_sweep(root, (0.0, 0.25), range(1, seeds + 1), gain=gain, noise=noise)
                page = self.page(*runs)
                self.assertIn(f"alpha 0.25: {word}", page.text[:600])
                self.assertRegex(page.verdict, r"G = -?\d\.\d{3}")
                self.assertIn(advice, page.verdict)
                self.assertEqual([other for other in WORDS if other in page.verdict], [word])

    def test_the_table_of_arms_is_what_the_documents_say(self):
        rows = {row[0]: row[1:] for row in self.page(*self.runs).table("Cross-entropy in nats per token, mean")}
        taus = synthetic_runs.TAUS

        def ce(run, tau, keep=lambda name: True):
            lines = [json.loads(line) for line in (run / "documents.jsonl").read_text().splitlines()]
            bands = [band for line in lines for name, band in line["bands"].items() if keep(name)]
            return sum(band["ce_sum"][taus.index(tau)] for band in bands) / sum(band["tokens"] for band in bands)

        def is_rare(name):
            return name not in ("500-1999", "2000+")

        plain, arm = self.runs[:5], self.runs[10:]
        for row, runs, tau in (("CE (alpha 0)", plain, 0), ("CE + bias, tau -0.5", plain, -0.5), ("PDL, alpha 0.5", arm, 0),
                               ("PDL, alpha 0.5, de-tilted", arm, 0.5)):  # fmt: skip
            expected = [sum(ce(run, tau, keep) for run in runs) / 5
                        for keep in (lambda name: True, is_rare, lambda name: not is_rare(name))]  # fmt: skip
            self.assertEqual([rows[row][0], rows[row][2], rows[row][3]], [f"{value:.3f}" for value in expected], row)
        for row, below in (("CE + bias, tau -0.5", "0 of 5"), ("PDL, alpha 0.5", "0 of 5"), ("PDL, alpha 0.5, de-tilted", "5 of 5")):
            self.assertEqual(rows[row][4], below)

    def test_the_figures_have_the_values_of_the_files(self):
        page = self.page(*self.runs)
        curve = page.table("Cross-entropy for each tau")
        self.assertEqual(curve[0], ["tau", "alpha 0", "alpha 0.25", "alpha 0.5"])
        self.assertEqual(len(curve), 1 + len(synthetic_runs.TAUS))
        least = [min(curve[1:], key=lambda row: float(row[column]))[0] for column in (1, 2, 3)]
        self.assertEqual(least, ["0", "0.25", "0.5"])
        bands = page.table("Cross-entropy as trained")
        self.assertEqual([row[0] for row in bands[1:]], list(synthetic_runs.BANDS))
        self.assertEqual(bands[1][2:], ["–"] * 3)  # A band without targets.
        mass = page.table("Share of the targets")
        self.assertEqual(mass[7][1:3], ["35.0 %", "35.0 %"])
        evals = page.table("Cross-entropy of evaluations")
        self.assertEqual([row[0] for row in evals[1:]], ["50", "100", "150", "200"])
        self.assertEqual(evals[4][1], f"{synthetic_runs.eval_fields(0, 200, 0.2)['eval_ce']:.3f}")
        self.assertLessEqual(len(page.table("Cross-entropy while training")), 61)

    def test_text_quality_is_shown_where_it_is(self):
        runs = synthetic_runs.write_sweep(self.root / "texts", (0.0, 0.5), (1, 2))
        self.assertNotIn("Generated text in figures", self.page(*runs).text)
        for run in runs:
            quality = synthetic_runs.text_quality(0.5 if "alpha=0.5" in str(run) else 0.0)
            (run / "text_quality.json").write_text(json.dumps(quality))
        rows = {row[0]: row[1:] for row in self.page(*runs).table("Figures of generated text")}
        self.assertEqual(rows["distinct_2"], ["0.5000", "0.5100", "0.6000", "0.7000 farther"])
        self.assertEqual(rows["judge_nll"], ["–"] * 4)
        self.assertEqual(rows["tokens"], ["4096"] * 4)

    def test_samples_stand_side_by_side_with_the_first_difference_marked(self):
        page = self.page(*self.runs)
        for text in ("alpha 0, seed 1, step 200", "alpha 0.5, seed 1, step 200", "The sea"):
            self.assertIn(text, page.text)
        self.assertEqual(page.marks, ["rare"] * 4)  # Two prompts, two alphas beside alpha 0.
        self.assertNotIn("at step 150", page.text)

    def test_the_first_word_that_differs_is_marked_as_a_whole(self):
        def mark(first, other):
            """What is marked in `other` beside `first`."""
            runs = synthetic_runs.write_sweep(self.root / "marks", (0.0, 0.5), (1,), exist_ok=True)
            for run, text in zip(runs, (first, other), strict=True):
                line = synthetic_runs.samples(0, 1, ["A prompt"])[-1]
                (run / "samples.jsonl").write_text(synthetic_runs.to_lines([{**line, "text": text}]))
            return self.page(*runs).marks

        for first, other, expected in (
            ("by the river", "by the rival here", ["rival"]), ("by the rarely", "by the rare fish", ["rare"]),
            ("by the rare", "by the rarely", ["rarely"]), ("by the rare", "by the rare fish", [" fish"]),
            ("a line\nof text", "a line of text", [" of"]), ("über Käse", "über Kälte", ["Kälte"]), ("ä b", "ö b", ["ö"]),
            ("river", "rival", ["rival"]), ("the end of it", "the end", ["(ends here)"]), ("the same", "the same", []),
            ("a\nriver", "a\nrival", ["rival"]),
        ):  # fmt: skip
            with self.subTest(first=first, other=other):
                self.assertEqual(mark(first, other), expected)

    def test_one_run(self):
        page = self.page(self.runs[5])
        self.assertIn("One run cannot show whether alpha helped", page.text[:600])
        self.assertEqual([word for word in WORDS if word in page.verdict], [])
        for begin in ("Training targets and their loss weight", "The tokens with most loss weight", "Cross-entropy as trained",
                      "Cross-entropy while training", "Keys of config.json", "SHA-256", "Versions"):  # fmt: skip
            self.assertTrue(page.table(begin), begin)
        self.assertIn("weighted loss", page.table("Cross-entropy while training")[0])

    def test_differences_of_the_configs(self):
        other = self.changed_run("config", lambda folder: None, alpha=0.25, seed=1)
        config = json.loads((other / "config.json").read_text())
        (other / "config.json").write_text(json.dumps({**config, "max_length": 65, "train_files": ["/x\u202e.txt"]}))
        page = self.page(self.runs[0], other)
        self.assertIn("cannot be compared", page.verdict)
        self.assertIn("differs", page.verdict)
        rows = {row[0]: row[1] for row in page.table("Keys of config.json that differ")}
        self.assertEqual(set(rows), {"name", "max_length", "train_files"})
        self.assertIn("65 in changed/config", rows["max_length"])
        self.assertIn(r"/x\u202e.txt", rows["train_files"])
        self.assertNotIn("max_length", [row[0] for row in page.table("Keys that all runs share")])

    # ------------------------------------------------------------------ the same bytes, small and fast

    def test_the_same_bytes_from_anywhere_and_in_any_order(self):
        page = self.source(*self.runs)
        self.assertEqual(self.source(*reversed(self.runs)), page)
        names = [os.path.relpath(run, self.root / "sweep") for run in self.runs]
        self.assertEqual(self.source(*names, folder=self.root / "sweep"), page)
        link = self.root / "link"
        link.symlink_to(self.root / "sweep")
        self.assertEqual(self.source(*(link / name for name in names)), page)
        self.assertNotIn(str(self.root).encode(), page.replace(str(self.root / "sweep").encode() + b"/alpha", b""))

    def test_the_page_is_report_html_where_nothing_is_said(self):
        folder = self.root / "here"
        folder.mkdir()
        process = program.run("report", self.runs[0], folder=folder)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual([path.name for path in folder.iterdir()], ["report.html"])
        self.assertEqual((folder / "report.html").read_bytes(), self.source(self.runs[0]))

    def test_size_and_time(self):
        runs = synthetic_runs.write_sweep(self.root / "large", number=200, prompts=[f"Prompt {i}" for i in range(20)], text="word " * 2000)
        seconds = []
        for _ in range(3):  # The machine may be busy.
            begin = time.monotonic()
            self.assertLess(len(self.source(*runs)), 1_000_000)
            seconds.append(time.monotonic() - begin)
        (runs[0] / "summary.json").unlink()
        self.assertLess(len(self.source(*runs)), 1_000_000)  # Side by side.
        self.assertLess(min(seconds), 3.0, "1 second in a release build on an idle machine")

    # ------------------------------------------------------------------ what is missing, damaged or hostile

    def test_unfinished_runs_and_cut_lines(self):
        def cut(folder):
            for name in ("summary.json", "documents.jsonl"):
                (folder / name).unlink()
            lines = (folder / "metrics.jsonl").read_bytes()
            (folder / "metrics.jsonl").write_bytes(lines[: lines.index(b'"step": 101,') + 30])

        run = self.changed_run("cut", cut)
        page = self.page(run)
        rows = {row[0]: row[1] for row in page.table("Run cut")}
        self.assertEqual((rows["status"], rows["steps"]), ("unfinished", "100"))
        self.assertIn("its last line is cut", page.text)
        page = self.page(*self.runs[:3], run)
        self.assertIn("cannot be compared", page.verdict)
        self.assertIn("changed/cut", page.verdict)
        self.assertEqual(page.table("Cross-entropy for each tau")[0], ["tau", *(f"sweep/alpha=0/seed={i}" for i in (1, 2, 3))])

    def test_every_file_may_be_missing_empty_or_damaged(self):
        damages = [b"", b"{", b"\x00\xff\n", b'{"event": "train", "step": 1e400}\n', b"[]\n" * 3,
                   b'{"event":"train","step":1,"ce":1e308,"loss":null}\n{"event":"train","step":9,"ce":-1e308}\n',
                   b'{"event":"eval","step":2,"eval_ce":"x","eval_bands":[1]}\n{"event":"start","top_tokens":{"a":1}}\n',
                   b'{"pdl_alpha":"x","seed":1.5,"status":3,"versions":[1,[2,{"a":null}]],"compute":7}']  # fmt: skip
        for name in ("config.json", "summary.json", "metrics.jsonl", "documents.jsonl", "samples.jsonl", "text_quality.json", "frequency.json"):
            run = self.changed_run("missing", lambda folder, name=name: (folder / name).unlink(missing_ok=True))
            for runs in ([run], [*self.runs[:2], run]):
                self.page(*runs)
            for damage in damages:
                with self.subTest(name=name, damage=damage):
                    (run / name).write_bytes(damage)
                    self.page(run)
                    self.page(*self.runs[:2], run)

    def test_the_best_tau_is_that_of_the_rule(self):
        """Of equals the nearest to 0, then the lower; what is not finite is never best."""
        taus = [-1.0, -0.5, 0.0, 0.5, 1.0]
        for kind, ce, best in (("tie", [4.0, 2.0, 3.0, 2.0, 4.0], "-0.5"), ("tie with 0", [2.0, 3.0, 2.0, 2.0, 2.0], "0"),
                               ("null first", [None, 4.0, 3.0, 2.0, 4.0], "0.5"), ("null between", [4.0, 3.0, None, 2.0, 2.5], "0.5")):  # fmt: skip
            lines = synthetic_runs.documents(0.25, 1, 0.2, 4, taus=taus)
            for line in lines:
                line["ce_sum"] = [value if value is None else value * line["tokens"] for value in ce]
            run = self.changed_run("best", lambda folder: (folder / "documents.jsonl").write_text(synthetic_runs.to_lines(lines)))
            page = self.page(run)
            with self.subTest(kind):
                self.assertEqual({row[0]: row[1] for row in page.table("Run ")}["best tau"], best)
                self.assertRegex(page.text, rf"Lowest, best: 2\.000 at tau {best}\.")

    def test_null_figures(self):
        lines = synthetic_runs.documents(0.25, 1, 0.2, 4)
        lines[1]["ce_sum"][3] = lines[2]["bands"]["5-19"]["ce_sum"][8] = None
        self.page(self.changed_run("null", lambda folder: (folder / "documents.jsonl").write_text(synthetic_runs.to_lines(lines))))
        one = synthetic_runs.documents(0.25, 1, 0.2, 1, taus=[0.0])
        self.page(self.changed_run("one", lambda folder: (folder / "documents.jsonl").write_text(synthetic_runs.to_lines(one))))

    def test_hostile_texts_and_names(self):
        hostile = synthetic_runs.HOSTILE
        name = b"<title><img src=x>\"'& \xe2\x80\xae\xff\n"
        folder = os.fsencode(self.root) + b"/" + name
        run = self.changed_run("hostile", lambda folder: None)
        (run / "metrics.jsonl").write_text(synthetic_runs.to_lines(synthetic_runs.metrics(0.25, 1, 0.2, piece=hostile)))
        (run / "samples.jsonl").write_text(synthetic_runs.to_lines(synthetic_runs.samples(0.25, 1, [hostile, "", "a\tb\r"], hostile)))
        config = {"pdl_alpha": 0.25, "seed": 1, hostile: hostile, "": [], "train_files": [hostile, {hostile: 1}]}
        (run / "config.json").write_text(json.dumps(config))
        (run / "summary.json").write_text(json.dumps({"status": hostile, "git_hash": hostile, "versions": {hostile: hostile}}))
        (run / "text_quality.json").write_text(json.dumps({"generated": {hostile: 1.5}, "human": {}, "floor": 3}))
        shutil.copytree(run, os.fsdecode(folder))
        for runs in ([os.fsdecode(folder)], [self.runs[0], os.fsdecode(folder)]):
            page = self.page(*runs)
            shown = "</script><svg onload=x()>&amp;\"'</title>\\u0000 a\\u202eb\\u200bc \\U000e0041 \\u2028 http://example.com/?a=b"
            self.assertGreater(page.text.count(shown), 8)
            self.assertIn("<title><img src=x>\"'& \\u202e\\xff\\u000a", page.text)
            self.assertIn("a\\u0009b\\u000d", page.text)

    # ------------------------------------------------------------------ refusals

    def test_what_is_refused(self):
        empty = self.root / "empty"
        empty.mkdir(exist_ok=True)
        for code, word, arguments in ((2, "RUN", []), (3, "no folder", ["missing"]), (3, "neither", [empty]),
                                      (3, "no folder", [self.runs[0] / "config.json"]),
                                      (2, "--output", [self.runs[0], "--output", ""]),
                                      (6, "nowhere", [self.runs[0], "--output", "nowhere/page.html"])):  # fmt: skip
            with self.subTest(arguments=arguments):
                process = program.run("report", *arguments, folder=self.root)
                self.assertEqual(process.returncode, code, process.stderr)
                errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
                self.assertEqual(len(errors), 1, process.stderr)
                self.assertIn(word, errors[0])


if __name__ == "__main__":
    program.main()
