#!/usr/bin/env python3
"""The commands beside training, on the job of `pdl-train init`, against independent computations.

    .venv/bin/python tests/cli/commands_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. The Python needs torch.
"""

import collections
import json
import math
import pathlib
import sys
import tempfile
import unittest

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

TIMEOUT_S = 20
MAX_LENGTH = 32
ALPHA, EPSILON = 0.25, 1.0


class CommandsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "demo"
        cls.run_program("init", "demo", "--preset", "tiny", folder=cls.temporary.name)
        cls.run_program("--config", "run.json", "--max_steps", "8")
        cls.table = json.loads((cls.folder / "run" / "frequency.json").read_text())

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def run_program(cls, *arguments, folder=None):
        """Runs the program, which must succeed, and returns its stdout."""
        process = program.run(*arguments, folder=folder or cls.folder, timeout_s=TIMEOUT_S)
        assert process.returncode == 0, f"{arguments}: {process.returncode} {process.stderr}"
        assert "error:" not in process.stderr, process.stderr
        return process.stdout

    def names(self):
        return sorted(str(path) for path in self.folder.rglob("*"))

    def json_lines(self, *arguments):
        return [json.loads(line) for line in self.run_program(*arguments).splitlines()]

    def eval_rows(self):
        """The sequences of eval.txt: the tokens of all paragraphs, cut every MAX_LENGTH tokens."""
        text = ["--tokenizer_path", "tokenizer.model", "--text_document", "paragraph"]
        ids = [
            token
            for document in self.json_lines("tokenize", *text, "eval.txt")
            for token in document["ids"]
        ]
        rows = [ids[start : start + MAX_LENGTH] for start in range(0, len(ids), MAX_LENGTH)]
        return [row for row in rows if len(row) > 1]

    def test_init_is_the_same_each_time(self):
        self.run_program("init", "again", "--preset", "tiny", folder=self.temporary.name)
        for path in (pathlib.Path(self.temporary.name) / "again").iterdir():
            if path.suffix in (".txt", ".model"):
                self.assertEqual(path.read_bytes(), (self.folder / path.name).read_bytes())

    def test_tokenize_files(self):
        for kind in ("file", "paragraph", "line"):
            with self.subTest(kind):
                documents = self.json_lines(
                    "tokenize", "--tokenizer_path", "tokenizer.model", "--text_document", kind, "eval.txt"
                )  # fmt: skip
                text = (self.folder / "eval.txt").read_text()
                separator = {"file": None, "paragraph": "\n\n", "line": "\n"}[kind]
                parts = text.split(separator) if separator else [text]
                self.assertEqual(len(documents), sum(1 for part in parts if part.strip()))
                for document in documents:
                    self.assertEqual(set(document), {"ids", "pieces", "trained"})
                    self.assertEqual(len(document["ids"]), len(document["pieces"]))
                    self.assertEqual(len(document["ids"]), len(document["trained"]))
                    self.assertEqual(document["pieces"][-1], "</s>")

    def test_tokenize_decodes(self):
        documents = self.json_lines("tokenize", "--tokenizer_path", "tokenizer.model", "--text_document", "line", "eval.txt")
        (self.folder / "ids.jsonl").write_text("".join(json.dumps({"ids": d["ids"], "text": "?"}) + "\n" for d in documents))
        texts = self.json_lines("tokenize", "--tokenizer_path", "tokenizer.model", "--decode", "ids.jsonl")
        lines = [line for line in (self.folder / "eval.txt").read_text().splitlines() if line.strip()]
        self.assertEqual([text["text"] for text in texts], [" ".join(line.split()) for line in lines])
        (self.folder / "ids.jsonl").write_text('{"ids": [1]}\n{"ids": [100000]}\n')
        for arguments, code, word in ((["ids.jsonl"], 3, "line 2"), (["missing"], 3, "missing"), (["ids.jsonl", "eval.txt"], 2, "--decode"),
                                      (["ids.jsonl", "--add_bos", "true"], 2, "--add_bos")):  # fmt: skip
            process = program.run("tokenize", "--tokenizer_path", "tokenizer.model", "--decode", *arguments, folder=self.folder)
            self.assertEqual(process.returncode, code, process.stderr)
            self.assertIn(word, process.stderr)

    def test_tokenize_rows(self):
        rows = self.json_lines("tokenize", "--config", "run.json")
        self.assertEqual({len(row["ids"]) for row in rows[:-1]}, {MAX_LENGTH})
        self.assertEqual({row["trained"][0] for row in rows}, {0})
        counts = collections.Counter()
        for row in rows:
            counts.update(
                token for token, trained in zip(row["ids"], row["trained"], strict=True) if trained
            )
        self.assertEqual([counts[token] for token in range(len(self.table["counts"]))],
                         self.table["counts"])  # fmt: skip

    def test_count_of_the_job_is_that_of_the_run(self):
        before = self.names()
        self.assertEqual(json.loads(self.run_program("count", "--config", "run.json")), self.table)
        self.assertEqual(self.names(), before)

    def test_count_of_files_is_that_of_tokenize(self):
        for flags in ([], ["--text_document", "line", "--add_bos", "true"], ["--add_eos", "false"]):
            with self.subTest(flags):
                files = ["--tokenizer_path", "tokenizer.model", *flags, "train.txt", "eval.txt"]
                table = json.loads(self.run_program("count", *files))
                counts = collections.Counter()
                for document in self.json_lines("tokenize", *files):
                    counts.update(document["ids"])
                self.assertEqual(table["format"], "pdl-frequency")
                self.assertEqual(table["version"], 1)
                self.assertEqual(table["counted"], "reference")
                self.assertEqual(table["tokenizer_sha256"], self.table["tokenizer_sha256"])
                self.assertEqual(table["vocab_size"], len(table["counts"]))
                self.assertEqual(table["total"], sum(table["counts"]))
                self.assertEqual(
                    {token: count for token, count in enumerate(table["counts"]) if count},
                    dict(counts),
                )

    def test_files_of_a_kind_that_is_not_supported_are_refused(self):
        with tempfile.TemporaryDirectory() as temporary:
            for name in ("a.csv", "a", "a.npy.gz"):
                path = pathlib.Path(temporary) / name
                path.write_text('{"text": "a"}\n')
                for command in ("count", "tokenize"):
                    process = program.run(
                        command, "--tokenizer_path", self.folder / "tokenizer.model", path)
                    self.assertEqual((process.returncode, process.stdout), (2, ""), (command, name))

    def test_count_output_is_what_stdout_gets(self):
        files = ["--tokenizer_path", "tokenizer.model", "eval.txt"]
        text = self.run_program("count", *files)
        self.assertEqual(self.run_program("count", "--output", "table.json", *files), "")
        self.assertEqual(json.loads((self.folder / "table.json").read_text()), json.loads(text))

    def weights(self, *flags):
        lines = self.run_program("weights", "run/frequency.json", *flags).splitlines()
        self.assertEqual(lines[0].split("\t"), ["id", "piece", "count", "weight"])
        rows = [line.split("\t") for line in lines[1:]]
        self.assertEqual([int(row[0]) for row in rows], list(range(self.table["vocab_size"])))
        self.assertEqual([int(row[2]) for row in rows], self.table["counts"])
        return [row[1] for row in rows], [float(row[3]) for row in rows]

    def test_weights_are_the_formula(self):
        counts, total = self.table["counts"], self.table["total"]
        seen = [count for count in counts if count]

        def plain(count):
            return 1 / (count + EPSILON) ** ALPHA

        cap = 1.5 * plain(max(seen))
        control = range(3)  # unk, bos and eos of the example's tokenizer
        others = [count for token, count in enumerate(counts) if token not in control]
        mean = sum(count * plain(count) for count in others) / sum(others)
        cases = [
            ([], [plain(count) for count in counts]),
            (["--pdl_alpha", "0"], [1.0] * len(counts)),
            (["--pdl_alpha", "1.5", "--pdl_epsilon", "0.01"],
             [1 / (count + 0.01) ** 1.5 for count in counts]),
            (["--pdl_frequency", "relative", "--pdl_epsilon", "0.001"],
             [1 / (count / total + 0.001) ** ALPHA for count in counts]),
            (["--pdl_unseen", "count_one"], [plain(max(count, 1)) for count in counts]),
            (["--pdl_max_ratio", "1.5"], [min(plain(count), cap) for count in counts]),
            (["--pdl_special_tokens", "neutral", "--tokenizer_path", "tokenizer.model"],
             [mean if token in control else plain(count) for token, count in enumerate(counts)]),
        ]  # fmt: skip
        for flags, expected in cases:
            with self.subTest(flags):
                _, weights = self.weights(*flags)
                for token, (weight, value) in enumerate(zip(weights, expected, strict=True)):
                    self.assertTrue(math.isclose(weight, value, rel_tol=1e-9), (token, weight, value))

    def test_weights_pieces(self):
        self.assertEqual(set(self.weights()[0]), {""})
        pieces = self.weights("--tokenizer_path", "tokenizer.model")[0]
        document = self.json_lines("tokenize", "--tokenizer_path", "tokenizer.model", "eval.txt")[0]
        for token, piece in zip(document["ids"], document["pieces"], strict=True):
            if piece.isprintable():
                self.assertEqual(pieces[token], piece)

    def test_weights_refuses_a_table_narrower_than_its_tokenizer(self):
        table = dict(self.table, counts=[5, 5], vocab_size=2, total=10)
        (self.folder / "narrow.json").write_text(json.dumps(table))
        process = program.run(
            "weights", "narrow.json", "--tokenizer_path", "tokenizer.model", "--pdl_special_tokens", "neutral",
            folder=self.folder)
        self.assertEqual((process.returncode, process.stdout), (3, ""), process.stderr)

    def test_weights_output(self):
        self.assertEqual(
            self.run_program("weights", "run/frequency.json", "--output", "weights.tsv"), ""
        )
        text = (self.folder / "weights.tsv").read_text()
        self.assertEqual(text, self.run_program("weights", "run/frequency.json"))

    def test_eval_is_what_python_computes(self):
        result = json.loads(
            self.run_program("eval", "--config", "run.json", "--model_path", "run/model.pt")
        )
        counts = torch.tensor(self.table["counts"])
        weight = 1 / (counts.double() + EPSILON) ** ALPHA
        model = torch.jit.load(str(self.folder / "run" / "model.pt")).eval()
        losses, targets, correct = [], [], 0
        bands = {"0": 0, "1-4": 1, "5-19": 5, "20-99": 20, "100-499": 100, "500-1999": 500, "2000+": 2000}
        starts = torch.tensor(list(bands.values()))
        band_of = torch.bucketize(counts, starts, right=True) - 1
        mass = torch.zeros(len(bands), dtype=torch.float64)
        with torch.no_grad():
            for row in self.eval_rows():
                ids = torch.tensor([row])
                log_p = torch.log_softmax(model(ids)[0, :-1].double(), dim=-1)
                target = ids[0, 1:]
                losses.append(-log_p.gather(1, target[:, None])[:, 0])
                targets.append(target)
                correct += int((log_p.argmax(dim=-1) == target).sum())
                mass.index_add_(0, band_of, log_p.exp().sum(dim=0))
        loss, target = torch.cat(losses), torch.cat(targets)
        w = weight[target]
        expected = {
            "eval_tokens": len(target),
            "eval_ce": loss.mean().item(),
            "eval_ppl": math.exp(loss.mean().item()),
            "eval_loss": ((w * loss).sum() / w.sum()).item(),
            "eval_accuracy": correct / len(target),
        }
        for key, value in expected.items():
            self.assertTrue(math.isclose(result[key], value, rel_tol=1e-5), (key, result[key], value))
        self.assertEqual(set(result), {*expected, "eval_bands"})
        self.assertEqual(list(result["eval_bands"]), list(bands))
        for index, band in enumerate(bands):
            inside = band_of[target] == index
            got = result["eval_bands"][band]
            self.assertEqual(got["tokens"], int(inside.sum()))
            self.assertAlmostEqual(got["predicted_mass"], mass[index].item() / len(target), delta=1e-5)
            if got["tokens"]:
                self.assertAlmostEqual(got["ce"], loss[inside].mean().item(), delta=1e-5 * got["ce"])
            else:
                self.assertIsNone(got["ce"])

    def test_eval_is_the_last_line_of_the_run(self):
        result = json.loads(
            self.run_program("eval", "--config", "run.json", "--model_path", "run/model.pt")
        )
        summary = json.loads((self.folder / "run" / "summary.json").read_text())
        for key in ("eval_ce", "eval_loss", "eval_accuracy", "eval_tokens"):
            self.assertTrue(math.isclose(result[key], summary["final"][key], rel_tol=1e-6), key)

    def test_start_line_is_what_python_computes(self):
        ratio = 2.0
        self.run_program("--config", "run.json", "--max_steps", "1", "--output_dir", "capped",
                         "--pdl_max_ratio", str(ratio))  # fmt: skip
        with open(self.folder / "capped" / "metrics.jsonl") as lines:
            start = json.loads(lines.readline())
        counts = self.table["counts"]
        plain = [1 / (count + EPSILON) ** ALPHA for count in counts]
        smallest = min(weight for weight, count in zip(plain, counts, strict=True) if count)
        capped = [min(weight, ratio * smallest) for weight in plain]
        lowered = [token for token in range(len(counts)) if capped[token] < plain[token]]

        def weight_share(tokens, weights):
            held = [count * weight for count, weight in zip(counts, weights, strict=True)]
            return sum(held[token] for token in tokens) / sum(held)

        def below(limit, targets):
            return sum(counts[token] < limit for token in targets) / len(targets)

        evaluated = [token for row in self.eval_rows() for token in row[1:]]
        trained = [token for token, count in enumerate(counts) for _ in range(count)]
        expected = {
            "counted_tokens": sum(counts),
            "counted_types": sum(count > 0 for count in counts),
            "unseen_types": counts.count(0),
            "rare_share": below(5, trained),
            "eval_unseen_share": below(1, evaluated),
            "eval_rare_share": below(5, evaluated),
        }
        cap = {
            "types": len(lowered),
            "target_share": sum(counts[token] for token in lowered) / sum(counts),
            "weight_share_before": weight_share(lowered, plain),
            "weight_share": weight_share(lowered, capped),
        }
        for got, values in ((start, expected), (start["cap"], cap)):
            for key, value in values.items():
                self.assertTrue(math.isclose(got[key], value, rel_tol=1e-9), (key, got[key], value))
        bands = {"0": (0, 1), "1-4": (1, 5), "5-19": (5, 20), "20-99": (20, 100), "100-499": (100, 500),
                 "500-1999": (500, 2000), "2000+": (2000, math.inf)}  # fmt: skip
        self.assertEqual(list(start["weight_bands"]), list(bands))
        for band, (first, end) in bands.items():
            inside = [token for token, count in enumerate(counts) if first <= count < end]
            got = start["weight_bands"][band]
            self.assertEqual(got["tokens"], sum(counts[token] for token in inside))
            self.assertAlmostEqual(got["weight_share"], weight_share(inside, capped), delta=1e-12)
        self.assertEqual(len(start["top_tokens"]), 20)

    def test_check_leaves_nothing_behind(self):
        before = self.names()
        for output in ("fresh", "fresh/deeper/still", "run"):
            with self.subTest(output):
                text = self.run_program("check", "--config", "run.json", "--output_dir", output)
                self.assertLessEqual(len(text.splitlines()), 1)
                self.assertEqual(self.names(), before)

    def test_schema_names_every_key_of_the_resolved_config(self):
        schema = json.loads(self.run_program("schema"))
        config = json.loads((self.folder / "run" / "config.json").read_text())
        self.assertLessEqual(set(config), set(schema["properties"]))
        self.assertEqual(schema["required"] and schema["additionalProperties"], False)

    def test_versions_and_help(self):
        text = self.run_program("--version")
        for name in ("pdl-train", "LibTorch", "CUDA", "SentencePiece"):
            self.assertIn(name, text)
        for command in ("train", "init", "check", "count", "weights", "tokenize", "eval", "schema"):
            self.assertIn("Usage: pdl-train " + command, self.run_program(command, "--help"))


if __name__ == "__main__":
    program.main()
