#!/usr/bin/env python3
"""Evaluation with a grid of biases: `eval --bias_grid`, `--per_document`, and documents.jsonl of a run, against PyTorch.

    .venv/bin/python tests/cli/bias_grid_test.py --binary build/release/pdl-train
"""

import json
import math
import pathlib
import sys
import tempfile
import unittest

import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

EDGES = {"0": 0, "1-4": 1, "5-19": 5, "20-99": 20, "100-499": 100, "500-1999": 500, "2000+": 2000}
DOCUMENTS = ["the sea", "every word that she told him was true", "", "light", "the house of stone and the sea", "two"]


def band_of(count):
    return [name for name, least in EDGES.items() if count >= least][-1]


class Bigrams(torch.nn.Module):
    """Logits that depend on the token before alone, so that none depends on the batch in its last bits."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.table = torch.nn.Embedding(vocab_size, vocab_size)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.table(input_ids)


class BiasGridTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "demo"
        cls.call("init", cls.folder, "--preset", "tiny", folder=cls.temporary.name)
        vocab_size = torch.jit.load(cls.folder / "model.pt")(torch.tensor([[1, 2]])).shape[-1]
        torch.manual_seed(1)
        torch.jit.script(Bigrams(vocab_size)).save(cls.folder / "model.pt")
        (cls.folder / "docs.txt").write_text("".join(line + "\n" for line in DOCUMENTS))
        cls.call("--config", "run.json", "--max_steps", "8", "--eval_files", "docs.txt", "--text_document", "line",
                 "--eval_steps", "4", "--max_length", "9")  # fmt: skip
        cls.counts = json.loads((cls.folder / "run" / "frequency.json").read_text())["counts"]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def call(cls, *arguments, folder=None):
        process = program.run(*arguments, folder=folder or cls.folder)
        assert process.returncode == 0, process.stderr
        return process.stdout

    def evaluate(self, *flags):
        model = [] if "--model_path" in flags else ["--model_path", "run/model.pt"]
        return json.loads(self.call("eval", "--config", "run.json", *model, "--tokenizer_path", "tokenizer.model",
                                    "--eval_files", "docs.txt", "--text_document", "line", "--max_length", "9", *flags))  # fmt: skip

    def expected(self, taus):
        """(ce of each tau, count) of each target of each document, from the logits in float64."""
        model = torch.jit.load(self.folder / "run" / "model.pt").eval()
        ids, document_of = [], []
        tokens = json.loads("[" + ",".join(self.call(
            "tokenize", "--tokenizer_path", "tokenizer.model", "docs.txt", "--text_document", "line").splitlines()) + "]")
        number = 0
        for line in tokens:
            ids += line["ids"]
            document_of += [number] * len(line["ids"])
            number += 1
        log_counts = torch.tensor([math.log(count + 1) for count in self.counts], dtype=torch.float64)
        documents = [[] for _ in range(number)]
        for begin in range(0, len(ids), 9):
            row = ids[begin:begin + 9]
            if len(row) < 2:
                continue
            with torch.no_grad():
                logits = model(torch.tensor([row]))[0].double()
            for t in range(len(row) - 1):
                target = row[t + 1]
                ces = []
                for tau in taus:
                    biased = logits[t] + tau * log_counts
                    ces.append(float(torch.logsumexp(biased, 0) - biased[target]))
                documents[document_of[begin + t + 1]].append((ces, self.counts[target]))
        return documents

    def check_documents(self, lines, taus):
        documents = self.expected(taus)
        self.assertEqual([line["document"] for line in lines], list(range(len(documents))))
        self.assertEqual(len(lines), sum(bool(text) for text in DOCUMENTS))
        for line, targets in zip(lines, documents, strict=True):
            self.assertEqual(line["taus"], taus)
            self.assertEqual(line["tokens"], len(targets))
            for k in range(len(taus)):
                self.assertAlmostEqual(line["ce_sum"][k], math.fsum(ces[k] for ces, _ in targets), delta=1e-9 * 20)
            for name, band in line["bands"].items():
                of_band = [ces for ces, count in targets if band_of(count) == name]
                self.assertEqual(band["tokens"], len(of_band))
                for k in range(len(taus)):
                    self.assertAlmostEqual(band["ce_sum"][k], math.fsum(ces[k] for ces in of_band), delta=1e-9 * 20)

    def test_grid_and_documents_are_those_of_float64(self):
        taus = [-1, -0.5, 0, 0.5, 1]
        result = self.evaluate("--bias_grid", "-1:1:0.5", "--per_document", "out.jsonl")
        self.check_documents([json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()], taus)
        targets = [target for document in self.expected(taus) for target in document]
        self.assertEqual([point["tau"] for point in result["bias_grid"]], taus)
        for k, point in enumerate(result["bias_grid"]):
            self.assertAlmostEqual(point["eval_ce"], math.fsum(ces[k] for ces, _ in targets) / len(targets), delta=1e-9)
            for name, band in point["eval_bands"].items():
                of_band = [ces[k] for ces, count in targets if band_of(count) == name]
                self.assertEqual(band["tokens"], len(of_band))
                if of_band:
                    self.assertAlmostEqual(band["ce"], math.fsum(of_band) / len(of_band), delta=1e-9)
                else:
                    self.assertIsNone(band["ce"])
        best = min(result["bias_grid"], key=lambda point: (point["eval_ce"], abs(point["tau"]), point["tau"]))
        self.assertEqual((result["best_tau"], result["detilted_ce"]), (best["tau"], best["eval_ce"]))

    def test_the_other_figures_keep_their_bits(self):
        torch.manual_seed(2)
        config = transformers.LlamaConfig(vocab_size=len(self.counts), hidden_size=32, intermediate_size=48,
                                          num_hidden_layers=1, num_attention_heads=2)  # fmt: skip
        transformers.LlamaForCausalLM(config).save_pretrained(self.folder / "llama")
        for flags in ([], ["--model_path", "llama"], ["--model_path", "llama", "--precision", "bf16"],
                      ["--model_path", "llama", "--logits_chunk_rows", "3"]):  # fmt: skip
            with self.subTest(flags=flags):
                others = self.evaluate(*flags, "--bias_grid", "-2:2:0.25")
                for name in ("bias_grid", "best_tau", "detilted_ce"):
                    del others[name]
                self.assertEqual(others, self.evaluate(*flags))

    def test_documents_without_a_grid(self):
        result = self.evaluate("--per_document", "plain.jsonl")
        self.assertEqual(result, self.evaluate())
        self.check_documents([json.loads(line) for line in (self.folder / "plain.jsonl").read_text().splitlines()], [0])

    def test_a_run_leaves_documents_and_tells_the_best_tau(self):
        taus = [-1 + i / 8 for i in range(17)]
        lines = [json.loads(line) for line in (self.folder / "run" / "documents.jsonl").read_text().splitlines()]
        self.check_documents(lines, taus)
        metrics = [json.loads(line) for line in (self.folder / "run" / "metrics.jsonl").read_text().splitlines()]
        evals = [line for line in metrics if line["event"] == "eval"]
        self.assertEqual([line["step"] for line in evals], [4, 8])
        tokens = sum(line["tokens"] for line in lines)
        curve = [math.fsum(line["ce_sum"][k] for line in lines) / tokens for k in range(17)]
        self.assertAlmostEqual(evals[-1]["detilted_ce"], min(curve), delta=1e-12)
        self.assertEqual(evals[-1]["best_tau"], taus[curve.index(min(curve))])
        final = json.loads((self.folder / "run" / "summary.json").read_text())["final"]
        self.assertEqual(final["detilted_ce"], evals[-1]["detilted_ce"])

    def test_off_and_refused(self):
        self.call("--config", "run.json", "--max_steps", "2", "--eval_bias_grid", "", "--output_dir", "off")
        self.assertFalse((self.folder / "off" / "documents.jsonl").exists())
        self.assertNotIn("detilted_ce", (self.folder / "off" / "metrics.jsonl").read_text())
        for grid, word in (("1:0:0.1", "HIGH"), ("0:1:0", "STEP"), ("0:1:-1", "STEP"), ("0:1", "LOW:HIGH:STEP"),
                           ("0:1:1:1", "LOW:HIGH:STEP"), ("a:1:1", "LOW:HIGH:STEP"), ("0:1:1e-9", "1,001"),
                           ("nan:1:1", "LOW:HIGH:STEP")):  # fmt: skip
            process = program.run("eval", "--config", "run.json", "--bias_grid", grid, folder=self.folder)
            self.assertEqual(process.returncode, 2, process.stderr)
            self.assertEqual(process.stdout, "")
            self.assertIn(word, process.stderr)
            self.assertIn("--bias_grid", process.stderr)
        for grid in ("1:0:0.1", "0:1"):
            process = program.run("check", "--config", "run.json", "--eval_bias_grid", grid, "--output_dir", "new", folder=self.folder)
            self.assertEqual(process.returncode, 2, process.stderr)
            self.assertIn("eval_bias_grid", process.stderr)
            self.assertFalse((self.folder / "new").exists())


if __name__ == "__main__":
    program.main()
