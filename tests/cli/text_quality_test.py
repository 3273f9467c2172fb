#!/usr/bin/env python3
"""The figures of texts, `eval --generate` and `--generate_from`, against NLTK, sacrebleu, lexicalrichness, numpy and transformers.

    .venv/bin/python tests/cli/text_quality_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. The Python needs torch, transformers, sentencepiece, nltk, sacrebleu and
lexicalrichness.
"""

import json
import pathlib
import random
import sys
import tempfile
import unittest

import sentencepiece
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
import text_references  # noqa: E402

TIMEOUT_S = 60
PROMPT, NEW, LONG = 32, 40, 150
RARE_BELOW = 100
ROW = 256
SIZES = ["--max_new_tokens", str(NEW), "--rare_below", str(RARE_BELOW)]


def make_folder(path, vocab_size, seed, positions=ROW):
    """A random Llama whose choices vary."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=vocab_size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=positions, initializer_range=0.3, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    model.save_pretrained(path)
    return model


class TextQualityTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "demo"
        process = program.run("init", "demo", "--preset", "tiny", folder=cls.temporary.name, timeout_s=TIMEOUT_S)
        assert process.returncode == 0, process.stderr
        config = cls.folder / "run.json"
        config.write_text(config.read_text().replace('"max_length": 32', f'"max_length": {ROW}'))
        process = program.run("count", "--config", "run.json", "--output", "table.json", folder=cls.folder, timeout_s=TIMEOUT_S)
        assert process.returncode == 0, process.stderr
        cls.counts = json.loads((cls.folder / "table.json").read_text())["counts"]
        cls.model = make_folder(cls.folder / "llama", len(cls.counts), 7)
        cls.judge = make_folder(cls.folder / "judge", len(cls.counts), 8)
        cls.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(cls.folder / "tokenizer.model"))
        cls.eval_ids, cls.train_ids = (cls.documents(name) for name in ("eval.txt", "train.txt"))
        cls.measured = cls.measure("--generate", "12", *SIZES, "--generate_output", "samples.jsonl", "--judge_model", "judge")
        cls.samples = [json.loads(line) for line in (cls.folder / "samples.jsonl").read_text().splitlines()]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def documents(cls, file):
        process = program.run("tokenize", "--tokenizer_path", "tokenizer.model", "--text_document", "paragraph", file,
                              folder=cls.folder, timeout_s=TIMEOUT_S)  # fmt: skip
        return [json.loads(line)["ids"] for line in process.stdout.splitlines()]

    @classmethod
    def call(cls, *arguments, model="llama"):
        return program.run("eval", "--config", "run.json", "--model_path", model, *arguments,
                           folder=cls.folder, timeout_s=TIMEOUT_S)  # fmt: skip

    @classmethod
    def measure(cls, *arguments, model="llama", warning=None):
        """Returns text_quality. `warning`: what of one is expected, or none at all."""
        process = cls.call(*arguments, model=model)
        assert process.returncode == 0, process.stderr
        assert ("warning: " in process.stderr) == (warning is not None), process.stderr
        assert warning is None or warning in process.stderr, process.stderr
        return json.loads(process.stdout)["text_quality"]

    def assert_refused(self, code, word, *arguments):
        process = self.call(*arguments)
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertEqual(process.stdout, "")
        errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, process.stderr)
        self.assertIn(word, errors[0])
        self.assertLessEqual(len(errors[0]), 300)

    # ------------------------------------------------------------------ references

    def long_enough(self, documents, new=NEW):
        return [ids for ids in documents if len(ids) >= PROMPT + new]

    def text_of(self, prompt, ids):
        whole, before = self.tokenizer.decode(prompt + ids), self.tokenizer.decode(prompt)
        return whole[len(before) :]

    def excerpts(self, documents, most, new=NEW):
        """Prompts, what follows, and its text."""
        chosen = self.long_enough(documents, new)[:most]
        prompts, ids = [d[:PROMPT] for d in chosen], [d[PROMPT : PROMPT + new] for d in chosen]
        return prompts, ids, [self.text_of(*pair) for pair in zip(prompts, ids, strict=True)]

    def assert_figures(self, measured, expected):
        self.assertEqual(set(measured), set(expected) | {"judge_nll"})
        for name, value in expected.items():
            with self.subTest(name):
                if value is None or isinstance(value, int):
                    self.assertEqual(measured[name], value)
                else:
                    self.assertAlmostEqual(measured[name], value, delta=1e-12 * max(1, abs(value)))

    def assert_all_figures(self, measured, ids, texts, documents=12, floors=12, rare_below=RARE_BELOW, new=NEW):
        _, human, human_texts = self.excerpts(self.eval_ids, documents, new)
        _, floor, floor_texts = self.excerpts(self.train_ids, floors, new)
        for name, own, own_texts, other in (
            ("generated", ids, texts, human), ("human", human, human_texts, floor), ("floor", floor, floor_texts, human)
        ):  # fmt: skip
            with self.subTest(name):
                expected = text_references.figures(own, own_texts, other, self.counts, rare_below)
                self.assert_figures(measured[name], expected)

    def nll(self, prompts, texts):
        total = count = 0
        with torch.no_grad():
            for prompt, ids in zip(prompts, texts, strict=True):
                logits = self.judge(torch.tensor([prompt + ids])).logits[0].double().log_softmax(-1)
                total -= sum(logits[len(prompt) + i - 1, token].item() for i, token in enumerate(ids))
                count += len(ids)
        return total / count

    # ------------------------------------------------------------------ figures

    def test_figures_are_those_of_references(self):
        self.assertEqual(
            {name: self.measured[name] for name in ("samples", "prompt_tokens", "max_new_tokens", "rare_below")},
            {"samples": 12, "prompt_tokens": PROMPT, "max_new_tokens": NEW, "rare_below": RARE_BELOW},
        )
        self.assert_all_figures(self.measured, [s["ids"] for s in self.samples], [s["text"] for s in self.samples])
        # Of all that is compared nothing is left out, and texts are not alike.
        for text in ("generated", "human", "floor"):
            self.assertNotIn(None, self.measured[text].values())
        self.assertGreater(self.measured["generated"]["js_unigram"], 2 * self.measured["human"]["js_unigram"])

    def test_the_judge_is_that_of_transformers(self):
        prompts, human, _ = self.excerpts(self.eval_ids, 12)
        floor_prompts, floor, _ = self.excerpts(self.train_ids, 12)
        for name, own_prompts, ids in (
            ("generated", prompts, [s["ids"] for s in self.samples]), ("human", prompts, human), ("floor", floor_prompts, floor)
        ):  # fmt: skip
            self.assertAlmostEqual(self.measured[name]["judge_nll"], self.nll(own_prompts, ids), delta=2e-6)

    def test_repetition_is_that_of_transformers(self):
        stream = [token for ids in self.eval_ids for token in ids]
        for length, options in ((ROW, []), (32, ["--per_device_eval_batch_size", "3", "--eval_max_batches", "4"])):
            rows = [stream[i : i + length] for i in range(0, len(stream), length)]
            rows = [row for row in rows if len(row) > 1][: 12 if options else None]
            with torch.no_grad():
                logits = [self.model(torch.tensor([row])).logits[0, :-1] for row in rows]
            best = [own.topk(2).values for own in logits]
            doubtful = sum(int((own[:, 0] - own[:, 1] < 1e-4).sum()) for own in best)
            expected = text_references.repetition(rows, [own.argmax(-1).tolist() for own in logits])
            options += ["--isolate_documents", "false", "--max_length", str(length)]
            measured = self.measure("--generate", "1", "--max_new_tokens", "1", *options)
            positions = sum(len(row) - 1 for row in rows)
            for name, value in zip(("rep_128", "wrep_128"), expected[:2], strict=True):
                self.assertAlmostEqual(measured[name], value, delta=1e-12 + doubtful / positions)
                self.assertGreater(value, 0.02)
            self.assertAlmostEqual(measured["uniq"], expected[2], delta=doubtful)
            self.assertLess(doubtful, 5)

    def test_repetition_of_a_program_and_of_prompts_that_are_no_targets(self):
        records = [{"prompt": "6 kuloi limoi", "completion": " sei tileroi. Eno gadeno sei tileroi" * (i + 1)} for i in range(5)]
        (self.folder / "pairs.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        process = program.run("tokenize", "--tokenizer_path", "tokenizer.model", "pairs.jsonl", folder=self.folder)
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        model = torch.jit.load(self.folder / "model.pt")
        rows, guesses = [], []
        for line in lines:
            with torch.no_grad():
                logits = model(torch.tensor([line["ids"]]))
            logits = logits[0] if isinstance(logits, (tuple, list)) else logits["logits"] if isinstance(logits, dict) else logits
            trained = [t for t in range(1, len(line["ids"])) if line["trained"][t]]
            rows.append([-1] + [line["ids"][t] for t in trained])
            guesses.append([int(logits[0, t - 1].argmax()) for t in trained])
        expected = text_references.repetition(rows, guesses)
        measured = self.measure("--generate", "3", "--max_new_tokens", "2", "--eval_files", "pairs.jsonl", "--packing", "false",
                                model="model.pt")  # fmt: skip
        self.assertEqual((measured["rep_128"], measured["wrep_128"], measured["uniq"]), expected)

    # ------------------------------------------------------------------ samples

    def test_samples_are_those_of_generate(self):
        prompts = self.long_enough(self.eval_ids)[:12]
        same = []
        for i, (ids, sample) in enumerate(zip(prompts, self.samples, strict=True)):
            self.assertEqual(list(sample), ["prompt_index", "sample", "prompt", "text", "ids", "logprobs", "finish_reason", "seed"])
            self.assertEqual((sample["prompt_index"], sample["sample"], sample["seed"]), (i, 0, 42))
            self.assertEqual((len(sample["ids"]), len(sample["logprobs"]), sample["finish_reason"]), (NEW, NEW, "length"))
            self.assertEqual(sample["prompt"], self.tokenizer.decode(ids[:PROMPT]))
            self.assertEqual(sample["text"], self.text_of(ids[:PROMPT], sample["ids"]))
            if self.tokenizer.encode(sample["prompt"]) == ids[:PROMPT]:
                same.append(sample)
        self.assertGreater(len(same), 4)
        process = program.run(
            "generate", "--model_path", "llama", "--tokenizer_path", "tokenizer.model", "--temperature", "1", "--ignore_eos",
            "--max_new_tokens", NEW, "--output", "again.jsonl", "--prompt", *(s["prompt"] for s in same), folder=self.folder,
        )  # fmt: skip
        self.assertEqual(process.returncode, 0, process.stderr)
        again = [json.loads(line) for line in (self.folder / "again.jsonl").read_text().splitlines()]
        self.assertEqual([s["ids"] for s in again], [s["ids"] for s in same])

    def test_samples_depend_on_seed_and_temperature_alone(self):
        def generated(*options):
            measured = self.measure("--generate", "12", *SIZES, "--generate_output", "other.jsonl", *options)
            return [json.loads(line)["ids"] for line in (self.folder / "other.jsonl").read_text().splitlines()], measured

        ids = [sample["ids"] for sample in self.samples]
        same, measured = generated("--per_device_eval_batch_size", "5", "--num_threads", "2")
        self.assertEqual(same, ids)
        self.assertIsNone(measured["human"]["judge_nll"])
        self.assertEqual(measured["human"] | {"judge_nll": 0}, self.measured["human"] | {"judge_nll": 0})
        self.assertNotEqual(generated("--seed", "43")[0], ids)
        self.assertNotEqual(generated("--temperature", "0.5")[0], ids)
        greedy = generated("--temperature", "0")[0]
        self.assertEqual(greedy, generated("--temperature", "0", "--seed", "43")[0])

    def test_bos_and_eos_are_as_the_job_says(self):
        self.measure("--generate", "3", "--max_new_tokens", "8", "--add_bos", "true", "--generate_output", "bos.jsonl",
                     "--judge_model", "judge")  # fmt: skip
        line = json.loads((self.folder / "bos.jsonl").read_text().splitlines()[0])
        first = next(ids for ids in self.eval_ids if len(ids) + 1 >= PROMPT + 8)
        self.assertEqual(line["prompt"], self.tokenizer.decode(first[: PROMPT - 1]))
        # An eos that is chosen ends nothing.
        eos = self.tokenizer.eos_id()
        for seed in range(8):
            hot = ["--temperature", "50", "--seed", seed, "--generate_output", "hot.jsonl"]
            measured = self.measure("--generate", "12", *SIZES, *hot)
            ids = [json.loads(line)["ids"] for line in (self.folder / "hot.jsonl").read_text().splitlines()]
            self.assertEqual(measured["generated"]["tokens"], 12 * NEW)
            if any(eos in sample[:-1] for sample in ids):
                break
        else:
            self.fail("no eos among 3840 tokens")

    def test_fewer_documents_are_told(self):
        long = len(self.long_enough(self.eval_ids, LONG - PROMPT))
        self.assertTrue(1 < long < 12)
        measured = self.measure("--generate", "12", "--max_new_tokens", LONG - PROMPT, "--generate_output", "few.jsonl",
                                warning=f"--generate 12: only {long} of {len(self.eval_ids)} documents of eval_files have {LONG} ids")  # fmt: skip
        self.assertEqual(measured["samples"], long)
        samples = [json.loads(line) for line in (self.folder / "few.jsonl").read_text().splitlines()]
        self.assert_all_figures(measured, [s["ids"] for s in samples], [s["text"] for s in samples], long, long, 500, LONG - PROMPT)

    def test_a_floor_that_is_small_or_missing(self):
        paragraphs = (self.folder / "train.txt").read_text().split("\n\n")
        long = [text for text in paragraphs if len(self.tokenizer.encode(text)) + 1 >= PROMPT + NEW]
        (self.folder / "three.txt").write_text("\n\n".join(long[:3]))
        (self.folder / "short.txt").write_text("6 kuloi\n\nlimoi")
        table = ["--pdl_frequency_table", "table.json", "--generate", "12", *SIZES]
        measured = self.measure("--train_files", "three.txt", *table, warning="only 3 of 3 documents of train_files")
        self.assertEqual(measured["floor"]["tokens"], 3 * NEW)
        self.assertEqual(measured["human"]["tokens"], 12 * NEW)
        for files, words in (("short.txt", "only 0 of 2 documents of train_files"), ("", "without train_files")):
            measured = self.measure("--train_files", files, *table, warning=words)
            self.assertIsNone(measured["floor"])
            _, human, texts = self.excerpts(self.eval_ids, 12)
            self.assert_figures(measured["human"], text_references.figures(human, texts, None, self.counts, RARE_BELOW))
            self.assertEqual(measured["generated"] | {"judge_nll": 0}, self.measured["generated"] | {"judge_nll": 0})

    def test_the_other_figures_stay_as_they_are(self):
        plain = self.call()
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertNotIn("text_quality", plain.stdout)
        measured = self.call("--generate", "2", *SIZES).stdout
        self.assertEqual(measured[: len(plain.stdout) - 2] + "}\n", plain.stdout)
        self.assertTrue(measured[len(plain.stdout) - 2 :].startswith(',"text_quality":{'))

    # ------------------------------------------------------------------ samples of a file

    def from_lines(self, lines, *arguments, warning=None):
        (self.folder / "from.jsonl").write_text("".join(line + "\n" for line in lines))
        return self.measure("--generate_from", "from.jsonl", *SIZES, *arguments, warning=warning)

    def test_samples_of_a_file_are_measured_alike(self):
        documents = len(self.long_enough(self.eval_ids))
        measured = self.measure("--generate", documents, *SIZES, "--generate_output", "all.jsonl", "--judge_model", "judge")
        self.assertEqual(self.measure("--generate_from", "all.jsonl", *SIZES, "--judge_model", "judge"), measured)
        lines = (self.folder / "samples.jsonl").read_text().splitlines()
        twelve = self.from_lines(["", *lines, "  "], "--judge_model", "judge")
        self.assertEqual(twelve["samples"], 12)
        self.assertEqual(twelve["human"], measured["human"])  # Of all documents that are long enough.
        self.assertEqual(twelve["generated"]["judge_nll"], self.measured["generated"]["judge_nll"])
        self.assert_all_figures(twelve, [s["ids"] for s in self.samples], [s["text"] for s in self.samples], documents, documents)

    def test_samples_of_any_shape(self):
        draw = random.Random(3)
        top = len(self.counts) - 1
        for name, samples in {
            "lengths": [[draw.randrange(3, draw.choice((9, top + 1))) for _ in range(draw.randrange(90))] for _ in range(30)],
            "one": [[5, 6, 5, 6, 5, 6, 7, 8]],
            "equal": [[5, 6, 7, 8, 9, 10]] * 3,
            "empty": [[]],
            "empty and short": [[], [4], [4, 5], [4, 5, 6], []],
            "one type": [[300] * 6, [300] * 5],
            "nothing in common": [[10, 11, 12, 13], [20, 21, 22, 23], [30, 31, 32, 33]],
        }.items():
            with self.subTest(name):
                lines = [json.dumps({"ids": ids, "other": {"x": [1.5, None]}}) for ids in samples]
                measured = self.from_lines(lines, warning=f"{len(samples)} samples have another number of ids than the {NEW}")
                texts = [self.tokenizer.decode(ids) for ids in samples]
                documents = len(self.long_enough(self.eval_ids))
                self.assert_all_figures(measured, samples, texts, documents, documents)
                self.assertEqual(measured["samples"], len(samples))

    def test_words_are_those_of_the_text(self):
        text = "“Été”, said the\u00a0Sea’s -- (sea's) SEA!\u2003 a\u200bb ... \x1c x\x00y\n\nend."
        measured = self.from_lines([json.dumps({"ids": [1] * NEW, "text": text})])["generated"]
        words = text_references.words(text)
        self.assertEqual(measured["words"], len(words))
        self.assertAlmostEqual(measured["word_distinct_1"], len(set(words)) / len(words), delta=1e-12)

    def test_prompts_of_a_file(self):
        ids = self.samples[0]["ids"]
        prompt = "6 kuloi limoi"
        judge = ["--judge_model", "judge"]
        measured = self.from_lines([json.dumps({"ids": ids, "prompt": prompt})], *judge)
        self.assertAlmostEqual(measured["generated"]["judge_nll"], self.nll([self.tokenizer.encode(prompt)], [ids]), delta=2e-6)
        lines = [json.dumps({"ids": ids, "prompt": prompt}), json.dumps({"ids": ids})]
        measured = self.from_lines(lines, *judge, warning="not every sample of --generate_from has a prompt")
        self.assertIsNone(measured["generated"]["judge_nll"])
        self.assertIsNotNone(measured["human"]["judge_nll"])

    # ------------------------------------------------------------------ the file

    def test_the_file_is_what_is_printed(self):
        for flags in (("--generate", "2"), ("--generate_from", "samples.jsonl")):
            with self.subTest(flags=flags):
                plain = self.measure(*flags, *SIZES)
                measured = self.measure(*flags, *SIZES, "--text_quality_output", "text_quality.json")
                content = (self.folder / "text_quality.json").read_text()
                self.assertEqual(json.loads(content), measured)
                self.assertEqual(measured, plain)
                self.assertEqual(content.count("\n"), 1)

    # ------------------------------------------------------------------ what is refused

    def test_flags_that_are_refused(self):
        for flag, value in (("--generate", "0"), ("--generate", "-3"), ("--generate", "many"), ("--max_new_tokens", "0"),
                            ("--max_new_tokens", "9223372036854775807"), ("--max_new_tokens", ROW - PROMPT + 1),
                            ("--temperature", "-1"), ("--temperature", "nan"), ("--rare_below", "0"), ("--rare_below", "7"),
                            ("--rare_below", "-5"), ("--generate_from", "samples.jsonl"), ("--judge_model", ""),
                            ("--generate_output", ""), ("--judge_model", "--seed"), ("--text_quality_output", ""),
                            ("--text_quality_output", "--seed")):  # fmt: skip
            with self.subTest(flag=flag, value=value):
                first = [] if flag == "--generate" else ["--generate", "2"]
                self.assert_refused(2, flag, *first, flag, value)
        for flag, value in (("--max_new_tokens", "9"), ("--temperature", "1"), ("--rare_below", "20"),
                            ("--generate_output", "no.jsonl"), ("--judge_model", "judge"), ("--text_quality_output", "no.jsonl")):  # fmt: skip
            with self.subTest(flag=flag):
                self.assert_refused(2, "--generate", flag, value)
        for flag, value in (("--temperature", "1"), ("--generate_output", "no.jsonl")):
            with self.subTest(flag=flag):
                self.assert_refused(2, flag, "--generate_from", "samples.jsonl", flag, value)

    def test_models_and_documents_that_do_not_do(self):
        longest = max(map(len, self.eval_ids))
        self.assert_refused(3, f"none of {len(self.eval_ids)} documents has {longest + 1} ids", "--generate", "2",
                            "--max_new_tokens", longest + 1 - PROMPT, "--generate_output", "no.jsonl")  # fmt: skip
        make_folder(self.folder / "few", len(self.counts), 1, positions=PROMPT + NEW - 1)
        self.assert_refused(2, "--judge_model", "--generate", "2", *SIZES, "--judge_model", "few")
        make_folder(self.folder / "narrow", len(self.counts) - 1, 1)
        self.assert_refused(4, "narrow", "--generate", "2", *SIZES, "--judge_model", "narrow", "--generate_output", "no.jsonl")
        self.assert_refused(4, "missing", "--generate", "2", *SIZES, "--judge_model", "missing")
        self.assert_refused(6, "nowhere", "--generate", "2", *SIZES, "--generate_output", "nowhere/no.jsonl")
        self.assert_refused(6, "nowhere", "--generate", "2", *SIZES, "--text_quality_output", "nowhere/no.jsonl")
        self.assertEqual(list(self.folder.glob("*no.jsonl*")), [])
        self.measure("--generate", "2", *SIZES, "--judge_model", "llama", warning="is the evaluated model itself")

    def test_files_that_are_refused(self):
        top = len(self.counts)
        for content, words in (("", "has no line"), ("\n \n", "has no line"), ('{"ids":[3]}\n{"ids":[3', "line 2"),
                               ('{"ids":[3]}\n\n{"text":"a"}\n', "line 3"), ('{"ids":"3"}', "ids"), ('{"ids":[1.5]}', "ids"),
                               (f'{{"ids":[{top}]}}', "ids"), ('{"ids":[-1]}', "ids"), ("[3]", "line 1"), ('{"ids":null}', "ids"),
                               ('{"ids":[3],"ids":[4]}', "ids"), ('{"ids":[3],"text":5}', "text"),
                               ('{"ids":[3],"prompt":[]}', "prompt"), ("\0", "line 1"), ('{"ids":[99999999999999999999]}', "ids"),
                               ("[" * 5000, "line 1")):  # fmt: skip
            with self.subTest(content=content[:40]):
                (self.folder / "bad.jsonl").write_text(content)
                self.assert_refused(3, words, "--generate_from", "bad.jsonl", *SIZES)
        (self.folder / "bad.jsonl").write_bytes(b'{"ids":[3],"text":"\xff"}')
        self.assert_refused(3, "line 1", "--generate_from", "bad.jsonl", *SIZES)
        self.assert_refused(3, "missing.jsonl", "--generate_from", "missing.jsonl", *SIZES)
        self.assert_refused(3, "is a folder", "--generate_from", "llama", *SIZES)


if __name__ == "__main__":
    program.main()
