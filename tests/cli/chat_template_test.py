#!/usr/bin/env python3
"""The chat template of a tokenizer's folder through the whole program, on the job of `pdl-train init`.

    .venv/bin/python tests/cli/chat_template_test.py --binary build/release/pdl-train
"""

import json
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

CONFIG, DATA, MODEL = 2, 3, 4
TOKENIZER = ["--tokenizer_path", "tokenizer.model"]
TURNS = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
DATED = "{{ strftime_now('%d %b %Y') }}" + TURNS
CHAT = {"messages": [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c d"}]}
WITH_TOOLS = {**CHAT, "tools": [{"type": "function", "function": {"name": "f"}}]}


def text_of(pieces):
    """What SentencePiece's pieces spell, without white space around it; rare characters are bytes, as <0x5B>."""
    found = [re.fullmatch("<0x(..)>", piece) for piece in pieces]
    parts = [bytes.fromhex(byte[1]) if byte else piece.encode() for byte, piece in zip(found, pieces)]
    return b"".join(parts).decode().replace("▁", " ").strip()


class ChatTemplateTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "demo"
        self.run_program("init", "demo", "--preset", "tiny", folder=temporary.name)
        self.write("chats.jsonl", json.dumps(CHAT) + "\n")

    def run_program(self, *arguments, code=0, folder=None):
        process = program.run(*arguments, folder=folder or self.folder)
        self.assertEqual(process.returncode, code, process.stderr)
        process.errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(process.errors), int(code != 0), process.stderr)
        return process

    def write(self, name, content):
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(content if isinstance(content, str) else json.dumps(content))

    def text(self, *flags, file="chats.jsonl"):
        """That of the first document, and of its trained tokens."""
        line = self.run_program("tokenize", *TOKENIZER, *flags, file).stdout.splitlines()[0]
        document = json.loads(line)
        trained = [piece for piece, is_trained in zip(document["pieces"], document["trained"]) if is_trained]
        return text_of(document["pieces"]), text_of(trained)

    def refusal(self, code, *flags, file="chats.jsonl"):
        [error] = self.run_program("tokenize", *TOKENIZER, *flags, file, code=code).errors
        self.assertIn("template", error)
        self.assertLessEqual(len(error), 300)
        return error

    def test_a_folder_without_a_template_has_chatml(self):
        self.assertEqual(self.text(), self.text("--chat_template", "chatml"))

    def test_the_template_beside_the_tokenizer_is_the_default(self):
        self.write("tokenizer_config.json", {"chat_template": "config" + TURNS})
        self.assertTrue(self.text()[0].startswith("config"))
        self.write("chat_template.jinja", TURNS)
        self.assertEqual(self.text(), ("[user] a b</s> [assistant] c d</s>", "c d</s>"))
        self.assertIn("im_start", self.text("--chat_template", "chatml")[0])
        self.write("other.jinja", "other" + TURNS)
        self.assertTrue(self.text("--chat_template", "other.jinja")[0].startswith("other"))

    def test_a_record_with_tools_has_a_template_of_its_own(self):
        templates = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools | tojson }}"}]
        self.write("tokenizer_config.json", {"chat_template": templates})
        self.write("tools.jsonl", json.dumps(WITH_TOOLS) + "\n")
        self.assertEqual(self.text()[0], "plain")
        self.assertEqual(json.loads(self.text(file="tools.jsonl")[0]), WITH_TOOLS["tools"])
        self.write("tokenizer_config.json", {"chat_template": [{"name": "rag", "template": "x"}]})
        self.assertIn("none is called default", self.refusal(MODEL))

    def test_a_template_that_cannot_be_run_is_refused(self):
        self.write("chat_template.jinja", "{% include 'x' %}")
        self.assertIn("line 1, uses {% include %}, which is not supported", self.refusal(MODEL))
        self.write("chat_template.jinja", "{{ raise_exception('no') }}")
        self.assertIn("chats.jsonl', line 1: chat template", self.refusal(DATA))
        self.write("chat_template.jinja", "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
        self.assertIn("takes more than", self.refusal(DATA))
        self.refusal(CONFIG, "--chat_template", "missing.jinja")
        self.assertIn("must end in .jinja", self.refusal(CONFIG, "--chat_template", "chatlm"))
        # A corpus without chats needs no template.
        self.write("texts.jsonl", json.dumps({"text": "a b"}) + "\n")
        self.assertIn("a b", self.text(file="texts.jsonl")[0])

    def test_the_date_is_set(self):
        self.write("chat_template.jinja", DATED)
        self.assertTrue(self.text("--chat_date", "2026-07-04")[0].startswith("04 Jul 2026"))
        [error] = self.run_program("tokenize", *TOKENIZER, "--chat_date", "2026-02-30", "chats.jsonl", code=CONFIG).errors
        self.assertIn("chat_date", error)

    def test_calls_of_tools_are_counted_in_the_log(self):
        call = {"role": "assistant", "content": "c", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
        self.write("calls.jsonl", json.dumps({"messages": [CHAT["messages"][0], call]}) + "\n")
        self.write("chat_template.jinja", TURNS)
        process = self.run_program("tokenize", *TOKENIZER, "calls.jsonl")
        self.assertIn("1 turn of the assistant call tools", process.stderr)
        error = self.refusal_of_calls()
        self.assertIn("the field 'tool_calls' is not supported", error)

    def refusal_of_calls(self):
        [error] = self.run_program(
            "tokenize", *TOKENIZER, "--chat_template", "chatml", "calls.jsonl", code=DATA
        ).errors
        return error

    def test_shards_of_another_template_are_not_merged(self):
        for number, template in enumerate((TURNS, TURNS + " ")):
            self.write("chat_template.jinja", template)
            shard = ["--shard", f"{number}/2", "--output", f"part-{number}.json"]
            self.run_program("count", *shard, *TOKENIZER, "chats.jsonl")
        process = self.run_program("count", "--merge", "part-0.json", "part-1.json", code=DATA)
        self.assertIn("chat_template", process.errors[0])

    def test_a_run_keeps_its_date_and_its_template(self):
        self.write("chat_template.jinja", DATED)
        self.write("chats.jsonl", (json.dumps(CHAT) + "\n") * 40)
        config = {
            "model_path": "model.pt", "tokenizer_path": "tokenizer.model", "train_files": "chats.jsonl", "max_length": 16,
            "output_dir": "out", "save_steps": 1,
        }  # fmt: skip
        self.write("chats.json", config)
        self.run_program("--config", "chats.json", "--max_steps", "1", "--chat_date", "2026-07-04")
        self.assertEqual(json.loads((self.folder / "out" / "config.json").read_text())["chat_date"], "2026-07-04")
        self.run_program("--config", "chats.json", "--max_steps", "2")
        another = self.run_program("--config", "chats.json", "--max_steps", "3", "--chat_date", "2026-07-05", code=MODEL)
        self.assertIn("chat_date", another.errors[0])
        self.write("chat_template.jinja", DATED + "x")
        changed = self.run_program("--config", "chats.json", "--max_steps", "3", code=MODEL)
        self.assertIn("chat template", changed.errors[0])


if __name__ == "__main__":
    program.main()
