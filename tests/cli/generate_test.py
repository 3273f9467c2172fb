#!/usr/bin/env python3
"""The command generate, with a native model and with TorchScript, against transformers and against itself.

    .venv/bin/python tests/cli/generate_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. The Python needs torch and transformers.
"""

import itertools
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

TIMEOUT_S = 60
PROMPTS = ["the sea", "a", "Every word that she told him", "light", "the house of stone", "never", "two", "the sea"]
SAMPLED = ["--temperature", "1.1", "--top_k", "30", "--top_p", "0.95"]


def make_folder(path, vocab_size):
    """A random Llama whose choices vary."""
    torch.manual_seed(7)
    config = transformers.LlamaConfig(
        vocab_size=vocab_size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    model.save_pretrained(path)
    return model


class GenerateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "demo"
        process = program.run("init", "demo", "--preset", "tiny", folder=cls.temporary.name, timeout_s=TIMEOUT_S)
        assert process.returncode == 0, process.stderr
        process = program.run("--config", "run.json", "--max_steps", "8", folder=cls.folder, timeout_s=TIMEOUT_S)
        assert process.returncode == 0, process.stderr
        table = json.loads((cls.folder / "run" / "frequency.json").read_text())
        cls.counts = table["counts"]
        cls.model = make_folder(cls.folder / "llama", len(cls.counts))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def call(self, *arguments, model="llama", stdin=None):
        return program.run("generate", "--model_path", model, "--tokenizer_path", "tokenizer.model", *arguments,
                           folder=self.folder, timeout_s=TIMEOUT_S, stdin=stdin)  # fmt: skip

    def samples(self, *arguments, prompts=PROMPTS, model="llama"):
        """Runs generate for prompts of a file; returns the JSON lines."""
        (self.folder / "prompts.txt").write_text("".join(prompt + "\n" for prompt in prompts))
        length = [] if "--max_new_tokens" in arguments else ["--max_new_tokens", "20"]
        process = self.call("--prompts", "prompts.txt", "--output", "out.jsonl", *length, *arguments, model=model)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stdout, "")
        lines = (self.folder / "out.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def ids_of(self, text):
        (self.folder / "text.txt").write_text(text)
        process = program.run("tokenize", "--tokenizer_path", "tokenizer.model", "--add_eos", "false", "text.txt",
                              folder=self.folder, timeout_s=TIMEOUT_S)  # fmt: skip
        return json.loads(process.stdout)["ids"]

    def assert_refused(self, code, word, *arguments, model="llama"):
        process = self.call(*arguments, model=model)
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertEqual(process.stdout, "")
        errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, process.stderr)
        self.assertIn(word, errors[0])

    # ------------------------------------------------------------------ what is generated

    def test_greedy_is_that_of_transformers(self):
        for sample in self.samples("--ignore_eos"):
            ids = self.ids_of(sample["prompt"])
            with torch.no_grad():
                for generated, logprob in zip(sample["ids"], sample["logprobs"], strict=True):
                    logits = self.model(torch.tensor([ids])).logits[0, -1].double()
                    self.assertEqual(generated, int(logits.argmax()))
                    self.assertAlmostEqual(logprob, logits.log_softmax(0)[generated].item(), delta=1e-4)
                    ids.append(generated)
            self.assertEqual(sample["finish_reason"], "length")

    def test_fields_and_order(self):
        samples = self.samples("--num_return_sequences", "3", *SAMPLED, "--seed", "9")
        self.assertEqual([(s["prompt_index"], s["sample"]) for s in samples],
                         list(itertools.product(range(len(PROMPTS)), range(3))))  # fmt: skip
        for sample in samples:
            self.assertEqual(list(sample), ["prompt_index", "sample", "prompt", "text", "ids", "logprobs", "finish_reason", "seed"])
            self.assertEqual(sample["prompt"], PROMPTS[sample["prompt_index"]])
            self.assertEqual(sample["seed"], 9)
            self.assertTrue(all(logprob <= 0 for logprob in sample["logprobs"]))
        texts = [sample["text"] for sample in samples]
        self.assertGreater(len(set(texts)), len(texts) // 2)
        self.assertEqual(texts[:3], texts[-3:])  # The same prompt.

    def test_a_sample_depends_on_nothing_but_its_prompt(self):
        for model, options in (("llama", []), ("llama", SAMPLED), ("run/model.pt", SAMPLED)):
            with self.subTest(model=model, options=options):
                expected = [s["ids"] for s in self.samples(*options, model=model)]
                for batch_size, threads in ((1, 1), (3, 2), (16, 2)):
                    again = self.samples(*options, "--batch_size", str(batch_size), "--num_threads", str(threads), model=model)
                    self.assertEqual([s["ids"] for s in again], expected)
                reverse = self.samples(*options, prompts=PROMPTS[::-1], model=model)
                self.assertEqual([s["ids"] for s in reverse][::-1], expected)
                subset = self.samples(*options, prompts=PROMPTS[2:5], model=model)
                self.assertEqual([s["ids"] for s in subset], expected[2:5])
                more = self.samples(*options, "--num_return_sequences", "2", model=model)
                self.assertEqual([s["ids"] for s in more if s["sample"] == 0], expected)

    def test_the_seed_matters(self):
        first = [s["ids"] for s in self.samples(*SAMPLED)]
        self.assertEqual(first, [s["ids"] for s in self.samples(*SAMPLED, "--seed", "42")])
        self.assertNotEqual(first, [s["ids"] for s in self.samples(*SAMPLED, "--seed", "43")])

    def test_logit_bias_is_added(self):
        (self.folder / "table.json").write_text((self.folder / "run" / "frequency.json").read_text())
        most = max(range(len(self.counts)), key=lambda token: self.counts[token])
        for sample in self.samples("--logit_bias", "1000", "--pdl_frequency_table", "table.json", "--ignore_eos"):
            self.assertEqual(set(sample["ids"]), {most})
            self.assertTrue(min(sample["logprobs"]) < -0.01)  # Of the model's own logits.

    # ------------------------------------------------------------------ where it ends

    def test_stop_tokens_and_strings(self):
        for sample in self.samples("--ignore_eos", prompts=PROMPTS[:4]):
            token, text = sample["ids"][5], sample["text"]
            first = sample["ids"].index(token)
            [stopped] = self.samples("--ignore_eos", "--stop_token", str(token), prompts=[sample["prompt"]])
            self.assertEqual(stopped["ids"], sample["ids"][: first + 1])
            self.assertEqual(stopped["finish_reason"], "stop")
            self.assertTrue(text.startswith(stopped["text"]))
            stop = text[len(text) // 2 : len(text) // 2 + 3]
            [stopped] = self.samples("--ignore_eos", "--stop", stop, prompts=[sample["prompt"]])
            self.assertEqual(stopped["text"], text[: text.index(stop)])
            self.assertEqual(stopped["finish_reason"], "stop")
            self.assertEqual(stopped["ids"], sample["ids"][: len(stopped["ids"])])

    def test_eos_ends_and_can_be_held_back(self):
        options = ["--temperature", "5", "--num_return_sequences", "40"]
        ended = [s for s in self.samples(*options) if s["finish_reason"] == "eos"]
        self.assertTrue(ended)
        for sample in ended:
            self.assertEqual(sample["ids"].index(2), len(sample["ids"]) - 1)
        for sample in self.samples(*options, "--min_new_tokens", "10"):
            self.assertNotIn(2, sample["ids"][:10])
        self.assertTrue(all(s["finish_reason"] == "length" for s in self.samples(*options, "--ignore_eos")))

    def test_generation_config_where_it_is_asked_for(self):
        folder = self.folder / "configured"
        shutil.copytree(self.folder / "llama", folder)
        fields = {"do_sample": True, "temperature": 1.1, "top_k": 30, "top_p": 0.95, "repetition_penalty": 1.2, "max_new_tokens": 9}
        flags = [part for name, value in fields.items() if name != "do_sample" for part in ("--" + name, str(value))]
        expected = self.samples(*flags)
        (folder / "generation_config.json").write_text(json.dumps({**fields, "num_beams": 4, "use_cache": True, "typical_p": None}))
        process = self.call("--prompt", PROMPTS[0], "--generation_config", model="configured")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stdout, expected[0]["text"] + "\n")
        self.assertIn("do_sample true", process.stderr)
        self.assertIn("num_beams", process.stderr)
        self.assertNotIn("typical_p", process.stderr)
        process = self.call("--prompt", PROMPTS[0], "--generation_config", "--max_new_tokens", "2", model="configured")
        self.assertIn("flags override its max_new_tokens 9", process.stderr)
        self.assertTrue(expected[0]["text"].startswith(process.stdout.rstrip("\n")))
        # Nothing of it without the flag, and no chance without do_sample.
        self.assertEqual([s["ids"] for s in self.samples(model="configured")], [s["ids"] for s in self.samples()])
        (folder / "generation_config.json").write_text(json.dumps({"temperature": 1.1, "top_k": 3}))
        process = self.call("--prompt", PROMPTS[0], "--generation_config", "--max_new_tokens", "20", model="configured")
        self.assertEqual(process.stdout, self.samples()[0]["text"] + "\n")
        (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "top_p": 7}))
        self.assert_refused(2, "--top_p", "--prompt", "a", "--generation_config", model="configured")
        (folder / "generation_config.json").write_text(json.dumps({"max_new_tokens": "many"}))
        self.assert_refused(4, "max_new_tokens", "--prompt", "a", "--generation_config", model="configured")
        self.assert_refused(4, "generation_config.json", "--prompt", "a", "--generation_config", model="run/model.pt")

    def test_generation_config_may_name_more_ends(self):
        folder = self.folder / "ends"
        make_folder(folder, len(self.counts))
        [plain] = self.samples("--ignore_eos", prompts=["a"], model="ends")
        end = plain["ids"][4]
        for ids, is_list in ((end, False), ([end, 7], True)):
            (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids, "temperature": 3.0}))
            [sample] = self.samples(prompts=["a"], model="ends")
            self.assertEqual(sample["finish_reason"], "eos", is_list)
            first = min(plain["ids"].index(i) for i in (end, 7, 2) if i in plain["ids"] and (is_list or i != 7))
            self.assertEqual(sample["ids"], plain["ids"][: first + 1])
        for bad in ('{"eos_token_id": "</s>"}', '{"eos_token_id": -1}', "{"):
            (folder / "generation_config.json").write_text(bad)
            self.assert_refused(4, "generation_config.json", "--prompt", "a", model="ends")

    def test_max_length(self):
        ids = len(self.ids_of(PROMPTS[2]))
        [sample] = self.samples("--ignore_eos", "--max_length", str(ids + 3), prompts=[PROMPTS[2]])
        self.assertEqual((len(sample["ids"]), sample["finish_reason"]), (3, "max_length"))
        self.assert_refused(3, f"prompt 1 has {ids} ids", "--prompt", "a", PROMPTS[2], "--max_length", str(ids))
        [sample] = self.samples("--ignore_eos", "--max_new_tokens", "500", prompts=["a"])
        self.assertEqual(sample["finish_reason"], "max_length")  # The folder has 64 positions.

    # ------------------------------------------------------------------ prompts and output

    def test_stdout_has_the_text_alone(self):
        samples = self.samples(*SAMPLED, prompts=PROMPTS[:3])
        for sample in samples:  # As Python reads the lines of a pipe.
            sample["text"] = sample["text"].replace("\r\n", "\n").replace("\r", "\n")
        process = self.call("--prompt", *PROMPTS[:3], "--max_new_tokens", "20", *SAMPLED)
        self.assertEqual(process.stdout, "".join(sample["text"] + "\n" for sample in samples))
        for sample in samples:  # One alone comes as it grows.
            process = self.call("--prompt", sample["prompt"], "--max_new_tokens", "20", *SAMPLED)
            self.assertEqual(process.stdout, sample["text"] + "\n")
            process = self.call("-", "--max_new_tokens", "20", *SAMPLED, stdin=sample["prompt"] + "\n")
            self.assertEqual(process.stdout, sample["text"] + "\n")

    def test_brackets_are_text(self):
        prompt = "[INST] the, sea [/INST]"
        process = self.call("--prompt", prompt, "[a, b]", "--output", "out.jsonl", "--stop", "[x, y]", "--max_new_tokens", "3")
        self.assertEqual(process.returncode, 0, process.stderr)
        lines = [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]
        self.assertEqual([line["prompt"] for line in lines], [prompt, "[a, b]"])

    def test_a_model_may_be_wider_than_its_tokenizer(self):
        make_folder(self.folder / "wide", len(self.counts) + 40)
        ids = [i for s in self.samples("--temperature", "9", "--num_return_sequences", "9", model="wide") for i in s["ids"]]
        self.assertGreater(max(ids), len(self.counts))
        make_folder(self.folder / "narrow", len(self.counts) - 40)
        self.assert_refused(4, "narrow", "--prompt", "a", model="narrow")

    def test_records_and_bos(self):
        (self.folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": p, "other": 1}) + "\n" for p in PROMPTS))
        process = self.call("--prompts", "prompts.jsonl", "--output", "out.jsonl", "--max_new_tokens", "20")
        self.assertEqual(process.returncode, 0, process.stderr)
        records = [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]
        self.assertEqual(records, self.samples())
        self.assertNotEqual([s["ids"] for s in records], [s["ids"] for s in self.samples("--add_bos", "true")])

    def test_chats_get_the_generation_prompt(self):
        chat = {"messages": [{"role": "user", "content": "the sea"}]}
        (self.folder / "chats.jsonl").write_text(json.dumps(chat) + "\n")
        process = self.call("--prompts", "chats.jsonl", "--output", "out.jsonl", "--chat_template", "plain", "--max_new_tokens", "20")
        self.assertEqual(process.returncode, 0, process.stderr)
        sample = json.loads((self.folder / "out.jsonl").read_text())
        self.assertEqual(sample["prompt"], "User: the sea\nAssistant:")

    def test_the_chain_is_printed(self):
        process = self.call("--prompt", "a", "--max_new_tokens", "1", *SAMPLED)
        self.assertIn("temperature 1.1, top_k 30, top_p 0.95, a draw with seed 42", process.stderr)
        self.assertNotIn("warning", process.stderr)
        process = self.call("--prompt", "a", "--max_new_tokens", "1", "--top_p", "0.9")
        self.assertIn("do nothing without --temperature", process.stderr)

    def test_what_is_refused(self):
        for flag, value in (("--temperature", "-1"), ("--temperature", "nan"), ("--top_p", "0"), ("--top_p", "1.5"),
                            ("--min_p", "2"), ("--top_k", "-1"), ("--max_new_tokens", "0"), ("--min_new_tokens", "-1"),
                            ("--num_return_sequences", "0"), ("--batch_size", "0"), ("--repetition_penalty", "0"),
                            ("--no_repeat_ngram_size", "-1"), ("--max_length", "0"), ("--max_length", "65"), ("--stop", ""),
                            ("--stop_token", ""), ("--prompt", "--output"),
                            ("--stop_token", "no such token"), ("--logit_bias", "1")):  # fmt: skip
            with self.subTest(flag=flag, value=value):
                self.assert_refused(2, flag, "--prompt", "a", flag, value)
        self.assert_refused(2, "--prompt")
        self.assert_refused(2, "--prompt", "--prompt", "a", "--prompts", "prompts.txt")
        self.assert_refused(3, "no token", "--prompt", "")
        self.assert_refused(3, "missing.txt", "--prompts", "missing.txt")
        (self.folder / "bad.jsonl").write_text('{"text": "a"}\n')
        self.assert_refused(3, "'prompt' and 'messages'", "--prompts", "bad.jsonl")
        (self.folder / "bad.txt").write_bytes(b"a\xff\n")
        self.assert_refused(3, "UTF-8", "--prompts", "bad.txt")


if __name__ == "__main__":
    program.main()
