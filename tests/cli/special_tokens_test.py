#!/usr/bin/env python3
"""Special tokens that are probably not meant are warned of by every command that reads text, with the number of documents.

    .venv/bin/python tests/cli/special_tokens_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

CHAT = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}]}


class SpecialTokensTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.made = pathlib.Path(temporary.name) / "made"
        process = program.run("init", cls.made, "--preset", "tiny")
        assert process.returncode == 0, process.stderr
        cls.words = (cls.made / "eval.txt").read_text().split()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "job"
        shutil.copytree(self.made, self.folder)

    def write_records(self, name, records):
        (self.folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))

    def remove_runs(self):
        for output_dir in ("run", "reference"):
            shutil.rmtree(self.folder / output_dir, ignore_errors=True)

    def warnings(self, *arguments):
        """Of special tokens, each without the date, and every line of the log that says what is not read."""
        process = program.run(*arguments, folder=self.folder)
        self.assertEqual(process.returncode, 0, process.stderr)
        lines = [line.split(": ", 1)[1] for line in process.stderr.splitlines() if ": " in line]
        return [line for line in lines if any(part in line for part in ("already", "spelt out", "not heeded", "not read"))]

    def commands(self, flags, file):
        """Every command that reads `file` as text: name, arguments, the name of the corpus in its messages."""
        config = {"model_path": "model.pt", "tokenizer_path": "tokenizer.model", "max_length": 32, "save_steps": 1}
        (self.folder / "job.json").write_text(json.dumps({**config, "train_files": file, "output_dir": "run"}))
        other = {**config, "train_files": "plain.txt"}
        (self.folder / "reference.json").write_text(json.dumps({**other, "output_dir": "reference", "pdl_reference_files": file}))
        (self.folder / "eval.json").write_text(json.dumps({**other, "eval_files": file}))
        (self.folder / "plain.txt").write_text(" ".join(self.words[:200]))
        files = ["--tokenizer_path", "tokenizer.model", *flags, file]
        job, reference = ["--config", "job.json", *flags], ["--config", "reference.json", *flags]
        return [
            ("tokenize FILE", ["tokenize", *files], "FILE"),
            ("count FILE", ["count", *files], "FILE"),
            ("count --shard", ["count", "--shard", "0/1", *files], "FILE"),
            ("tokenize --config", ["tokenize", *job], "train_files"),
            ("count --config", ["count", *job], "train_files"),
            ("check", ["check", *job], "train_files"),
            ("train", [*job, "--max_steps", "2"], "train_files"),
            ("train, from the cache", [*job, "--max_steps", "4"], "train_files"),
            ("eval", ["eval", "--config", "eval.json", *flags], "eval_files"),
            ("reference", [*reference, "--max_steps", "2"], "pdl_reference_files"),
            ("reference, from the cache", [*reference, "--max_steps", "4"], "pdl_reference_files"),
        ]  # fmt: skip

    def test_every_command_counts_the_documents(self):
        """In texts, in prompts with completions and in chats, of more than one block; the same from the cache."""
        texts = [{"text": " ".join(self.words[i : i + 40]), "id": i} for i in range(400)]
        doubled = [{"text": text["text"] + "</s>"} for text in texts[:123]]
        completions = [{"prompt": "<s>a ", "completion": f"b {i}</s>\n", "source": "x"} for i in range(77)]
        self.write_records("data.jsonl", [*texts, *doubled, *completions, *[CHAT] * 50])
        flags = ["--add_bos", "true"]
        for threads in ("1", "3"):
            for name, arguments, corpus in self.commands([*flags, "--num_threads", threads], "data.jsonl"):
                with self.subTest(name, threads=threads):
                    found = self.warnings(*arguments)
                    self.assertEqual(len(found), 4, found)
                    self.assertIn(f"{corpus}: 77 of 600 documents begin with <s> already, and add_bos adds", found[0])
                    self.assertIn(f"{corpus}: 200 of 600 documents end with </s> already, and add_eos adds", found[1])
                    self.assertIn(f"{corpus}: the tokenizer lacks <|im_end|>, <|im_start|> of chat_template chatml", found[2])
                    self.assertIn("in 50 chats", found[2])
                    self.assertIn(f"{corpus}: fields of records that are not read: id, source", found[3])
            self.remove_runs()

    def test_where_all_is_well_nothing_is_said(self):
        texts = [{"text": " ".join(self.words[i : i + 40])} for i in range(100)]
        self.write_records("data.jsonl", [*texts, *[CHAT] * 10])
        for name, arguments, _ in self.commands(["--chat_template", "plain"], "data.jsonl"):
            with self.subTest(name):
                self.assertEqual(self.warnings(*arguments), [])
        self.remove_runs()
        self.write_records("doubled.jsonl", [{"text": "a</s>"}, *texts])
        for name, arguments, _ in self.commands(["--add_eos", "false"], "doubled.jsonl"):
            with self.subTest(name):
                self.assertEqual(self.warnings(*arguments), [])

    def test_what_tokenizer_config_declares_is_compared_with_the_keys(self):
        texts = [{"text": " ".join(self.words[i : i + 40])} for i in range(100)]
        self.write_records("data.jsonl", [*texts, *[CHAT] * 10])
        flags = ["--chat_template", "plain"]
        some = ("tokenize FILE", "count FILE", "check", "train", "train, from the cache", "eval")
        for declared, key in (({"add_bos_token": True}, "add_bos"), ({"add_eos_token": False}, "add_eos")):
            (self.folder / "tokenizer_config.json").write_text(json.dumps(declared))
            ((name, value),) = declared.items()
            wanted, other = json.dumps(value), json.dumps(not value)
            for command, arguments, _ in [each for each in self.commands(flags, "data.jsonl") if each[0] in some]:
                with self.subTest(command, declared=declared):
                    found = self.warnings(*arguments)
                    self.assertEqual(len(found), 1, found)
                    self.assertIn(f"tokenizer_config.json has {name} {wanted}, which is not heeded: {key} is {other}", found[0])
                    self.assertIn(f"; set {key} to {wanted}", found[0])
                    if command != "eval":  # which has other documents, too
                        self.assertIn("for 100 documents", found[0])
            self.remove_runs()
            commands = self.commands([*flags, f"--{key}", wanted], "data.jsonl")
            for command, arguments, _ in [each for each in commands if each[0] in some]:
                with self.subTest(command, declared=declared):
                    self.assertEqual(self.warnings(*arguments), [])
            self.remove_runs()
        # They do not apply to chats.
        self.write_records("chats.jsonl", [CHAT] * 40)
        (self.folder / "tokenizer_config.json").write_text('{"add_bos_token": true}')
        self.assertEqual(self.warnings("tokenize", "--tokenizer_path", "tokenizer.model", *flags, "chats.jsonl"), [])


if __name__ == "__main__":
    program.main()
