#!/usr/bin/env python3
"""The command compare on made-up runs, against an implementation of its rule with numpy.

    .venv/bin/python tests/cli/compare_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. The Python needs numpy.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile
import unittest

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

TIMEOUT_S = 60
BANDS = ["0", "1-4", "5-19", "20-99", "100-499", "500-1999", "2000+"]
RARE = BANDS[:5]
TAUS = [i / 8 for i in range(-8, 9)]
ZERO = TAUS.index(0)
DELTA = 0.01
# scipy.stats.t.ppf(0.975, n) of scipy 1.17.1, for n from 1
QUANTILES = [12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146]

# ---------------------------------------------------------------------- the rule, once more


def array(documents, band_names=None):
    """Documents x taus: ce_sum of all targets, or of those in bands."""
    if band_names is None:
        return numpy.array([document["ce_sum"] for document in documents])
    return numpy.array([[document["bands"][name]["ce_sum"] for name in band_names] for document in documents]).sum(1)


def best(ce):
    return min(range(len(TAUS)), key=lambda i: (ce[i], abs(TAUS[i]), TAUS[i]))


def cross_fitted(ce):
    """The sum of ce, with the tau that is best for the other half."""
    even, odd = ce[0::2].sum(0), ce[1::2].sum(0)
    return odd[best(even)] + even[best(odd)]


def biased(ce, rare, aim):
    """`rare` at the bias below the best one at which `ce` is `aim`."""
    top = best(ce)
    if aim <= ce[top]:
        return rare[top]
    for i in range(top, 0, -1):
        if ce[i - 1] >= aim:
            share = (aim - ce[i]) / (ce[i - 1] - ce[i])
            return rare[i] + share * (rare[i - 1] - rare[i])
    return rare[0]


def gains(arm, plain):
    """G and R of a pair of runs."""
    tokens = sum(document["tokens"] for document in arm)
    g = (cross_fitted(array(arm)) - cross_fitted(array(plain))) / tokens
    rare_tokens = sum(document["bands"][name]["tokens"] for document in arm for name in RARE)
    total = 0
    for half in (0, 1):
        aim = array(arm)[half::2].sum(0)[ZERO]
        total += biased(array(plain)[half::2].sum(0), array(plain, RARE)[1 - half :: 2].sum(0), aim)
    return g, (total - array(arm, RARE).sum(0)[ZERO]) / rare_tokens


def interval(values):
    if len(values) < 2:
        return None, None
    half = QUANTILES[len(values) - 2] * numpy.std(values, ddof=1) / numpy.sqrt(len(values))
    return numpy.mean(values) - half, numpy.mean(values) + half


def verdict(g, r):
    (g_low, g_high), (r_low, _) = interval(g), interval(r)
    if g_low is None:
        return "not shown"
    if len(g) >= 5 and (g_high < 0 or (r_low > 0 and g_high < DELTA)):
        return "helps"
    if g_low > DELTA:
        return "hurts"
    return "no difference" if -DELTA <= g_low and g_high <= DELTA else "not shown"


# ---------------------------------------------------------------------- runs


def make_documents(alpha, seed, shift=0.0, noise=0.3, count=31, seed_noise=0.02):
    """Curves over tau that are rough, so that the best tau and the interpolation vary."""
    draws, shape = random.Random(f"{alpha} {seed}"), random.Random(7)
    of_run = shift + seed_noise * draws.gauss(0, 1)
    documents = []
    for index in range(count):
        bands = {}
        for place, name in enumerate(BANDS):
            tokens = shape.randrange(20) if index % 7 else 0
            level = 6 - 0.6 * place + of_run + noise * draws.gauss(0, 1)
            ce = [tokens * (level + 0.4 * (tau - alpha) ** 2 + (0.3 - 0.1 * place) * (tau - alpha) + noise / 20 * draws.gauss(0, 1))
                  for tau in TAUS]  # fmt: skip
            bands[name] = {"tokens": tokens, "ce_sum": ce}
        ce_sum = [sum(band["ce_sum"][i] for band in bands.values()) for i in range(len(TAUS))]
        tokens = sum(band["tokens"] for band in bands.values())
        documents.append({"document": index, "taus": TAUS, "tokens": tokens, "ce_sum": ce_sum, "bands": bands})
    return documents


class CompareTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.template.name)
        for arguments in (["init", "demo", "--preset", "tiny"], ["--config", "demo/run.json", "--max_steps", "2"]):
            process = program.run(*arguments, folder=folder, timeout_s=TIMEOUT_S)
            assert process.returncode == 0, process.stderr
        cls.config = json.loads((folder / "demo/run/config.json").read_text())
        cls.summary = (folder / "demo/run/summary.json").read_text()

    @classmethod
    def tearDownClass(cls):
        cls.template.cleanup()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.runs = {}  # (alpha, seed) -> documents

    def make_run(self, alpha, seed, documents=None, name=None, **changed):
        name = name or f"alpha={alpha}-seed={seed}"
        run = self.folder / name
        run.mkdir()
        config = {**self.config, "pdl_alpha": alpha, "seed": seed, "output_dir": str(run), **changed}
        (run / "config.json").write_text(json.dumps(config, indent=2))
        (run / "summary.json").write_text(self.summary)
        documents = documents or make_documents(alpha, seed)
        self.write_documents(name, documents)
        self.runs[alpha, seed] = documents
        return name

    def write_documents(self, name, documents):
        (self.folder / name / "documents.jsonl").write_text("".join(json.dumps(line) + "\n" for line in documents))

    def call(self, *arguments):
        return program.run("compare", *arguments, folder=self.folder, timeout_s=TIMEOUT_S)

    def compare(self, *names):
        process = self.call(*names, "--json")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stdout.count("\n"), 1)
        return json.loads(process.stdout)

    def assert_refused(self, codes, words, *names):
        for flags in ([], ["--json"]):
            process = self.call(*names, *flags)
            self.assertIn(process.returncode, codes, process.stderr)
            self.assertEqual(process.stdout, "")
            errors = process.stderr.splitlines()
            self.assertEqual(len(errors), 1, process.stderr)
            self.assertTrue(errors[0].startswith("error: "), errors)
            for word in words:
                self.assertIn(word, errors[0])

    # ------------------------------------------------------------------ figures

    def test_figures_are_those_of_numpy(self):
        shifts = {0.25: 0.0, 0.5: -0.3, 1.0: 0.4}
        names = [self.make_run(0, seed) for seed in range(1, 7)]
        for alpha, shift in shifts.items():
            names += [self.make_run(alpha, seed, make_documents(alpha, seed, shift)) for seed in range(1, 7)]
        result = self.compare(*names)
        self.assertEqual(list(result), ["format", "version", "delta", "rare_below", "arms"])
        self.assertEqual(list(result.values())[:4], ["pdl-comparison", 1, DELTA, 500])
        self.assertEqual([arm["alpha"] for arm in result["arms"]], list(shifts))
        for arm in result["arms"]:
            self.assertEqual(arm["seeds"], [1, 2, 3, 4, 5, 6])
            pairs = [gains(self.runs[arm["alpha"], seed], self.runs[0, seed]) for seed in arm["seeds"]]
            for name, values in zip("GR", zip(*pairs, strict=True), strict=True):
                figure = arm[name]
                numpy.testing.assert_allclose(figure["per_seed"], values, rtol=0, atol=1e-11)
                expected = [numpy.mean(values), *interval(values)]
                numpy.testing.assert_allclose([figure["mean"], figure["low"], figure["high"]], expected, rtol=0, atol=1e-11)
            self.assertEqual(arm["verdict"], verdict(*zip(*pairs, strict=True)))
        self.assertEqual([arm["verdict"] for arm in result["arms"]][1:], ["helps", "hurts"])

    def test_many_single_pairs_are_those_of_numpy(self):
        rough = [0.05, 1.0, 5.0]  # with much noise, curves are no longer convex
        for seed in range(1, 31):
            noise = rough[seed % 3]
            for alpha in (0, 0.5, 3):
                self.make_run(alpha, seed, make_documents(alpha, seed, noise=noise, count=3 + seed % 5))
        for seed in range(1, 31):
            result = self.compare(*(f"alpha={alpha}-seed={seed}" for alpha in (3, 0, 0.5)))
            for arm in result["arms"]:
                expected = gains(self.runs[arm["alpha"], seed], self.runs[0, seed])
                found = [arm["G"]["per_seed"][0], arm["R"]["per_seed"][0]]
                numpy.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)
                self.assertEqual([arm[name][end] for name in "GR" for end in ("low", "high")], [None] * 4)
                self.assertEqual((arm["verdict"], arm["seeds_needed"]), ("not shown", None))

    def test_the_deviation_over_documents_is_that_of_a_bootstrap_with_numpy(self):
        names = [self.make_run(alpha, seed, make_documents(alpha, seed, count=60)) for alpha in (0, 0.5) for seed in (1, 2, 3)]
        arm = self.compare(*names)["arms"][0]
        numerators = numpy.zeros(60)
        for alpha, sign in ((0.5, 1), (0, -1)):
            for seed in (1, 2, 3):
                ce = array(self.runs[alpha, seed])
                taus = [best(ce[1::2].sum(0)), best(ce[0::2].sum(0))]
                numerators += [sign / 3 * ce[i, taus[i % 2]] for i in range(60)]
        tokens = numpy.array([document["tokens"] for document in self.runs[0, 1]])
        self.assertAlmostEqual(numerators.sum() / tokens.sum(), arm["G"]["mean"], places=11)
        draws = numpy.random.default_rng(1).integers(60, size=(4000, 60))
        expected = (numerators[draws].sum(1) / tokens[draws].sum(1)).std(ddof=1)
        self.assertAlmostEqual(arm["G"]["document_sd"] / expected, 1, delta=0.08)
        self.assertGreater(arm["R"]["document_sd"], 0)

    def test_a_copy_of_alpha_0_is_no_difference_of_exactly_0(self):
        names = []
        for seed in range(1, 6):
            documents = make_documents(0, seed)
            names += [self.make_run(0, seed, documents), self.make_run(0.5, seed, documents)]
        arm = self.compare(*names)["arms"][0]
        self.assertEqual(arm["G"], {"per_seed": [0.0] * 5, "mean": 0.0, "low": 0.0, "high": 0.0, "document_sd": 0.0})
        self.assertEqual(arm["verdict"], "no difference")

    def test_few_seeds_never_help_and_the_seeds_needed_are_named(self):
        names = [self.make_run(alpha, seed, make_documents(alpha, seed, shift)) for seed in (1, 2, 3, 4)
                 for alpha, shift in ((0, 0), (0.5, -1))]  # fmt: skip
        arm = self.compare(*names)["arms"][0]
        self.assertLess(arm["G"]["high"], 0)
        self.assertEqual((arm["verdict"], arm["seeds_needed"]), ("not shown", 5))
        self.assertIn("not shown (5 seeds needed)", self.call(*names).stdout)
        names += [self.make_run(0, 5), self.make_run(0.5, 5, make_documents(0.5, 5, -1))]
        arm = self.compare(*names)["arms"][0]
        self.assertEqual((arm["verdict"], arm["seeds_needed"]), ("helps", None))

    # ------------------------------------------------------------------ which runs

    def test_the_order_and_the_spelling_of_folders_change_no_byte(self):
        names = [self.make_run(alpha, seed) for alpha in (0, 0.25, 0.5) for seed in (1, 2)]
        expected = [self.call(*names, *flags).stdout for flags in ([], ["--json"])]
        for _ in range(5):
            random.Random(3).shuffle(names)
            self.assertEqual([self.call(*names, *flags).stdout for flags in ([], ["--json"])], expected)
        spelled = [f"./{name}/" if place % 2 else str(self.folder / name) for place, name in enumerate(names)]
        self.assertEqual([self.call(*spelled, *flags).stdout for flags in ([], ["--json"])], expected)

    def test_nothing_but_three_files_of_a_run_is_read(self):
        names = [self.make_run(alpha, 1) for alpha in (0, 0.5)]
        expected = self.call(*names, "--json").stdout
        for name in names:
            for other in ("metrics.jsonl", "frequency.json", "report.html"):
                (self.folder / name / other).write_bytes(b"\xff\0nonsense")
            (self.folder / name / "checkpoint-1").mkdir()
        self.assertEqual(self.call(*names, "--json").stdout, expected)

    def test_seeds_without_a_partner_are_left_out_and_named(self):
        names = [self.make_run(0, 1), self.make_run(0, 2), self.make_run(0.5, 2), self.make_run(0.5, 7)]
        process = self.call(*names, "--json")
        self.assertEqual([arm["seeds"] for arm in json.loads(process.stdout)["arms"]], [[2]])
        for left_out in ("alpha 0, seed 1", "alpha 0.5, seed 7"):
            self.assertIn(f"left out: {left_out}: ", process.stderr)
            self.assertIn(f"left out: {left_out}: ", self.call(*names).stdout)
        self.assertEqual(self.call(*names).stderr, "")

    def test_keys_that_change_neither_training_nor_evaluation_may_differ(self):
        self.make_run(0, 1, name="a")
        self.make_run(0.5, 1, name="b", num_threads=7, device="cpu", logging_steps=9, save_steps=3, save_total_limit=9,
                      tensorboard=False, max_minutes=5, learning_rate=0.5, resume_from_checkpoint="never",
                      sample_prompts=["x"], sample_temperature=2)  # fmt: skip
        self.compare("a", "b")

    # ------------------------------------------------------------------ refusals

    def test_other_keys_are_refused_by_name(self):
        self.make_run(0, 1, name="a")
        for key, value in (("max_length", 7), ("eval_files", ["/other.txt"]), ("model_path", "/m"), ("max_steps", 9),
                           ("pdl_epsilon", 2.5), ("completion_only_loss", False), ("freeze", ["x"])):  # fmt: skip
            with self.subTest(key):
                self.assertNotEqual(self.config[key], value)
                self.make_run(0.5, 1, name="b", **{key: value})
                self.assert_refused([2], [key, "'a'", "'b'"], "b", "a")
                shutil.rmtree(self.folder / "b")

    def test_other_data_are_refused(self):
        self.make_run(0, 1, name="a")
        self.make_run(0.5, 1, name="b")
        documents = make_documents(0.5, 1)
        self.write_documents("b", documents[:-1])
        self.assert_refused([2], ["eval_files", "31 and 30"], "a", "b")
        documents[4]["tokens"] += 1
        documents[4]["bands"]["0"]["tokens"] += 1
        self.write_documents("b", documents)
        self.assert_refused([2], ["eval_files", "document 4"], "a", "b")

    def test_runs_that_cannot_be_paired_are_refused(self):
        self.make_run(0.5, 1, name="a")
        self.assert_refused([2], ["no run has pdl_alpha 0"], "a")
        self.make_run(0, 1, name="b")
        self.assert_refused([2], ["all runs have pdl_alpha 0"], "b")
        self.make_run(0, 2, name="c")
        self.assert_refused([2], ["no run has a seed"], "a", "c")
        self.make_run(0.5, 1, name="d", learning_rate=0.5)
        self.assert_refused([2], ["pdl_alpha 0.5 and seed 1", "'a'", "'d'"], "a", "b", "d")
        self.assert_refused([2], ["pdl_alpha 0 and seed 1"], "a", "b", "b")
        process = self.call()
        self.assertEqual(process.returncode, 2, process.stderr)

    def test_unfinished_runs_are_refused(self):
        self.make_run(0, 1, name="a")
        self.make_run(0.5, 1, name="b")
        summary = self.folder / "b" / "summary.json"
        for status in ("interrupted", "time_limit", "diverged"):
            summary.write_text(json.dumps({**json.loads(self.summary), "status": status}))
            self.assert_refused([2], ["'b' has not finished", status], "a", "b")
        summary.unlink()
        self.assert_refused([2], ["'b' has not finished"], "a", "b")
        self.assert_refused([3], ["nothing"], "a", "nothing")

    def test_documents_that_are_damaged_are_refused(self):
        self.make_run(0, 1, name="a")
        self.make_run(0.5, 1, name="b")
        path = self.folder / "b" / "documents.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        whole = b"".join(lines)
        damaged = {
            "empty": b"", "cut": whole[:-20], "nul": whole[:500] + b"\0" + whole[501:], "not UTF-8": b"\xff" + whole,
            "a line is missing": b"".join(lines[:3] + lines[4:]), "a line is doubled": lines[0] + whole,
            "lines swapped": b"".join([lines[1], lines[0], *lines[2:]]), "an empty line": whole + b"\n",
            "other taus": whole.replace(b"-0.875", b"-0.876", 1), "no number": whole.replace(b"[", b"[true, ", 2),
            "zeros": bytes(len(whole)), "another file": (self.folder / "b" / "config.json").read_bytes(),
        }  # fmt: skip
        for kind, content in damaged.items():
            with self.subTest(kind):
                path.write_bytes(content)
                self.assert_refused([3], ["b/documents.jsonl"], "a", "b")
        for kind, change in (("tokens", lambda line: line.update(tokens=line["tokens"] + 1)),
                             ("ce_sum", lambda line: line["ce_sum"].pop()),
                             ("bands", lambda line: line["bands"].pop("5-19"))):  # fmt: skip
            with self.subTest(kind):
                documents = make_documents(0.5, 1)
                change(documents[9])
                self.write_documents("b", documents)
                self.assert_refused([3], ["b/documents.jsonl", "line 10", kind], "a", "b")
        path.unlink()
        self.assert_refused([3], ["'b' has no documents.jsonl", "eval_files"], "a", "b")
        path.mkdir()
        self.assert_refused([3], ["b/documents.jsonl"], "a", "b")

    def test_figures_that_are_not_finite_are_refused(self):
        self.make_run(0, 1, name="a")
        self.make_run(0.5, 1, name="b")
        for value, words in ((None, ["document 5 in 'b/documents.jsonl'"]), (1e200, ["document 5 in 'b/documents.jsonl'"]),
                             (float("nan"), ["line 6"]), (float("inf"), ["line 6"])):  # fmt: skip
            for change in (lambda line, v: line["ce_sum"].__setitem__(0, v),
                           lambda line, v: line["bands"]["0"]["ce_sum"].__setitem__(16, v)):  # fmt: skip
                documents = make_documents(0.5, 1)
                change(documents[5], value)
                self.write_documents("b", documents)
                self.assert_refused([3], words, "a", "b")

    def test_an_evaluation_of_one_document_is_refused(self):
        for alpha, name in ((0, "a"), (0.5, "b")):
            self.make_run(alpha, 1, make_documents(alpha, 1, count=2)[1:], name=name)
            path = self.folder / name / "documents.jsonl"
            path.write_text(path.read_text().replace('"document": 1', '"document": 0'))
        self.assert_refused([3], ["no target in documents with odd numbers"], "a", "b")

    def test_names_of_folders_cannot_control_a_terminal(self):
        self.make_run(0, 1, name="a")
        self.make_run(0.5, 1, name="b\x1b[31m\n", max_length=9)
        self.assert_refused([2], ["max_length", "\\n"], "a", "b\x1b[31m\n")


if __name__ == "__main__":
    program.main()
