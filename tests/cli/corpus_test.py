#!/usr/bin/env python3
"""Every kind of corpus file through the whole program, on the job of `pdl-train init`.

    .venv/bin/python tests/cli/corpus_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. The Python needs numpy.
"""

import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

TIMEOUT_S = 60
DATA = 3
TOKENIZER = ["--tokenizer_path", "tokenizer.model"]


def stored_zst(data):
    """A frame of Zstandard with blocks that are not compressed (RFC 8878)."""
    blocks = [data[i : i + 100_000] for i in range(0, len(data), 100_000)]
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    for i, block in enumerate(blocks):
        is_last = i + 1 == len(blocks)
        frame += (len(block) << 3 | is_last).to_bytes(3, "little") + block
    return frame


class CorpusTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "demo"
        self.run_program("init", "demo", "--preset", "tiny", folder=temporary.name)
        self.text = (self.folder / "train.txt").read_text()
        self.lines = [line for line in self.text.split("\n") if line.strip()]

    def run_program(self, *arguments, code=0, folder=None, stdin=None):
        process = program.run(*arguments, folder=folder or self.folder, timeout_s=TIMEOUT_S, stdin=stdin)
        errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        assert process.returncode == code, f"{arguments}: {process.returncode} {process.stderr}"
        assert len(errors) == (code != 0), process.stderr
        process.error = errors[0] if errors else ""
        return process

    def write(self, name, content):
        data = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(data)
        return name

    def write_config(self, name, **changes):
        """The job of `init`, as a run resolved it, with other values; None removes a key."""
        if not (self.folder / "run" / "config.json").exists():
            self.train()
        config = {**json.loads((self.folder / "run" / "config.json").read_text()), **changes}
        self.write(name, json.dumps({key: value for key, value in config.items() if value is not None}))

    def tokenized(self, *arguments, stdin=None):
        output = self.run_program("tokenize", *TOKENIZER, *arguments, stdin=stdin).stdout
        return [json.loads(line) for line in output.splitlines()]

    def train(self, *arguments, steps=4, config="run.json", code=0):
        flags = ["--config", config, "--max_steps", str(steps), "--logging_steps", "1"]
        return self.run_program(*flags, *arguments, code=code)

    def losses(self, output_dir="run"):
        lines = (self.folder / output_dir / "metrics.jsonl").read_text().splitlines()
        return [event["loss"] for event in map(json.loads, lines) if event["event"] == "train"]

    # ------------------------------------------------------------------ what is said of them

    def test_empty_documents_are_counted_in_one_line(self):
        lines = ["one", " ", "two", "", "\u3000\t", "three"]
        self.write("some.txt", "".join(line + "\n" for line in lines))
        self.write("some.jsonl", "".join(json.dumps({"text": line}) + "\n" for line in lines))
        self.write("none.txt", "one\ntwo\n")
        for command in ("tokenize", "count"):
            for name in ("some.txt", "some.jsonl"):
                process = self.run_program(command, *TOKENIZER, "--text_document", "line", name)
                self.assertRegex(process.stderr, r"\A.* info: 3 of 6 documents hold nothing but white space[^\n]*\n\Z")
            process = self.run_program(command, *TOKENIZER, "--text_document", "line", "none.txt")
            self.assertEqual(process.stderr, "")
        self.write_config("lines.json", train_files=["some.txt"], text_document="line")
        for command in ("tokenize", "count"):
            process = self.run_program(command, "--config", "lines.json")
            self.assertEqual(process.stderr.count("3 of 6 documents"), 1, process.stderr)

    def test_a_file_that_is_given_twice_is_named(self):
        text = self.write("a.txt", "one two")
        self.write("b.txt", "three")
        (self.folder / "link.txt").symlink_to("b.txt")
        warning = r"\A.* warning: FILE: '?\S*a\.txt\S* is given twice and counts twice\n\Z"
        for command in ("tokenize", "count"):
            self.assertEqual(self.run_program(command, *TOKENIZER, text, "b.txt").stderr, "")
            for files in ((text, text), ("a.*", "./a.txt"), ("a.txt", "b.txt", str(self.folder / text))):
                self.assertRegex(self.run_program(command, *TOKENIZER, *files).stderr, warning)
            several = self.run_program(command, *TOKENIZER, "[ab].txt", "*.txt", "link.txt").stderr
            self.assertRegex(several, r"a\.txt\S* is given twice and counts twice; another file is repeated, too\n")
        self.write_config("twice.json", train_files=["b.txt", "link.txt", "b.t*"])
        stderr = self.run_program("tokenize", "--config", "twice.json").stderr
        self.assertRegex(stderr, r"warning: train_files: \S*b\.txt\S* is given 3 times and counts 3 times\n")

    # ------------------------------------------------------------------ formats

    def test_every_container_of_a_text_gives_the_same_tokens(self):
        expected = self.tokenized("--text_document", "line", "train.txt")
        self.assertEqual(len(expected), len(self.lines))
        records = "".join(json.dumps({"text": line, "id": 1}) + "\n" for line in self.lines)
        files = [
            self.write("a.txt.gz", gzip.compress(self.text.encode())),
            self.write("a.txt.zst", stored_zst(self.text.encode())),
            self.write("a.jsonl", records),
            self.write("a.jsonl.gz", gzip.compress(records[:999].encode()) + gzip.compress(records[999:].encode())),
            self.write("a.jsonl.zst", stored_zst(records.encode())),
        ]
        for file in files:
            with self.subTest(file):
                self.assertEqual(self.tokenized("--text_document", "line", file), expected)
        self.assertEqual(self.tokenized("--text_document", "line", "-", stdin=self.text), expected)

    def test_prompts_are_not_trained(self):
        record = {"prompt": self.lines[0] + " ", "completion": self.lines[1]}
        self.write("a.jsonl", json.dumps(record) + "\n")
        [document] = self.tokenized("a.jsonl")
        [prompt] = self.tokenized("--add_eos", "false", "--text_document", "file", self.write("p.txt", record["prompt"]))
        masked = document["trained"].count(0)
        self.assertEqual(document["ids"][:masked], prompt["ids"])
        self.assertEqual(document["trained"], [0] * masked + [1] * (len(document["ids"]) - masked))
        [document] = self.tokenized("--completion_only_loss", "false", "a.jsonl")
        self.assertNotIn(0, document["trained"])

    def test_chats_train_the_turns_of_the_assistant(self):
        messages = [
            {"role": "user", "content": self.lines[0]},
            {"role": "assistant", "content": self.lines[1]},
        ]
        self.write("a.jsonl", json.dumps({"messages": messages}) + "\n")
        for template in ("chatml", "llama2", "llama3", "plain"):
            [document] = self.tokenized("--chat_template", template, "a.jsonl")
            trained = [p for p, t in zip(document["pieces"], document["trained"]) if t]
            text = "".join(trained).replace("▁", " ")
            self.assertIn(self.lines[1], text, template)
            self.assertNotIn(self.lines[0], text, template)

    def test_training_on_completions_counts_and_trains_them_alone(self):
        records = [{"prompt": a, "completion": " " + b} for a, b in zip(self.lines[::2], self.lines[1::2])]
        self.write("a.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        self.write_config("prompts.json", train_files="a.jsonl", packing=False, output_dir="out")
        self.train(config="prompts.json")
        lines = self.run_program("tokenize", "--config", "prompts.json").stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        table = json.loads((self.folder / "out" / "frequency.json").read_text())
        self.assertEqual(table["total"], sum(sum(row["trained"]) for row in rows))
        self.assertLess(table["total"], sum(len(row["ids"]) - 1 for row in rows))

    def test_data_without_a_target_are_named_by_key_and_file(self):
        self.write("prompts.jsonl", json.dumps({"prompt": "a prompt", "completion": ""}) + "\n")
        users = {"messages": [{"role": "user", "content": "Hi"}]}
        unweighted = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes", "weight": 0}]}
        self.write("chats.jsonl", json.dumps(users) + "\n" + json.dumps(unweighted) + "\n")
        self.write("text.jsonl", json.dumps({"text": self.lines[0], "train": False}) + "\n")
        flags = ["--add_eos", "false"]
        for name in ("prompts.jsonl", "chats.jsonl", "text.jsonl"):
            for key in ("train_files", "eval_files"):
                with self.subTest(name, key=key):
                    error = self.train(f"--{key}", name, *flags, code=DATA).error
                    self.assertIn(f"{key} ('", error)
                    self.assertIn(f"{name}'): no token is a target", error)
            self.write("rows.json", json.dumps({"tokenizer_path": "tokenizer.model", "train_files": name, "add_eos": False}))
            error = self.run_program("tokenize", "--config", "rows.json", code=DATA).error
            self.assertIn(f"{name}'): no token is a target", error)

    def test_token_ids_need_no_tokenizer(self):
        self.write_config("text.json", eval_files=[], eval_steps=0, early_stopping_patience=0, packing=True, output_dir="text")
        self.write_config("ids.json", eval_files=[], eval_steps=0, early_stopping_patience=0, packing=True, train_files="ids.npy", tokenizer_path=None)
        self.train(config="text.json")
        expected = self.losses("text")
        document_of = json.loads((self.folder / "text.json").read_text())["text_document"]
        ids = [i for document in self.tokenized("--text_document", document_of, "train.txt") for i in document["ids"]]
        for kind in ("uint16", "uint32", "int32"):
            numpy.save(self.folder / "ids.npy", numpy.array(ids, dtype=kind))
            self.train("--output_dir", kind, config="ids.json")
            self.assertEqual(self.losses(kind), expected)
        numpy.save(self.folder / "ids.npy", numpy.array([1, 2, 60000], dtype="uint16"))
        process = self.run_program("--config", "ids.json", "--output_dir", "none", code=DATA)
        self.assertIn("index 2", process.error)

    # ------------------------------------------------------------------ second start

    def test_a_second_start_tokenizes_nothing_and_trains_the_same(self):
        self.train()
        kept = sorted((self.folder / "run" / "cache").iterdir())
        self.assertEqual(len(kept), 2)  # training and evaluation
        stamps = [path.stat().st_mtime_ns for path in kept]
        losses = self.losses()
        self.train(steps=6)
        self.assertEqual([path.stat().st_mtime_ns for path in kept], stamps)
        self.assertEqual(self.losses()[:4], losses)
        kept[0].write_bytes(kept[0].read_bytes()[:-1])
        process = self.train(steps=7)
        self.assertIn("tokenizing anew", process.stderr)

    def test_a_second_start_counts_no_reference(self):
        flags = ["--pdl_reference_files", "eval.txt"]
        self.train(*flags, "--output_dir", "counted")
        [counts] = (self.folder / "counted" / "cache").glob("counts-*.json")
        table = json.loads(counts.read_text())
        written = json.loads((self.folder / "counted" / "frequency.json").read_text())
        self.assertEqual({key: value for key, value in table.items() if key != "notes"}, written)
        moved = table["counts"].index(max(table["counts"]))
        table["counts"][moved] -= 1
        table["counts"][moved - 1] += 1  # still a valid table, which shows that it is used
        (self.folder / "other" / "cache").mkdir(parents=True)
        (self.folder / "other" / "cache" / counts.name).write_text(json.dumps(table))
        self.train(*flags, "--output_dir", "other")
        used = json.loads((self.folder / "other" / "frequency.json").read_text())
        self.assertEqual(used["counts"], table["counts"])

    def test_token_ids_alone_can_be_shown_but_not_counted(self):
        numpy.save(self.folder / "ids.npy", numpy.array([1, 2, 3], dtype="int32"))
        [document] = map(json.loads, self.run_program("tokenize", "ids.npy").stdout.splitlines())
        self.assertEqual(document["ids"], [1, 2, 3])
        self.assertIn("tokenizer_path", self.run_program("count", "ids.npy", code=2).error)

    def test_other_end_of_documents_is_not_taken_from_the_cache(self):
        vocab = {chr(c): i for i, c in enumerate(range(32, 127))} | {"<a>": 95, "<b>": 96}
        added = [{"id": i, "content": t, "special": True, "lstrip": False, "rstrip": False, "normalized": False,
                  "single_word": False} for t, i in (("<a>", 95), ("<b>", 96))]  # fmt: skip
        self.write("t.json", json.dumps({"version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": None,
                   "model": {"type": "BPE", "vocab": vocab, "merges": []}}))  # fmt: skip
        self.write("train.txt", "ab\n\ncd\n\n" * 20)
        self.write_config("eos.json", tokenizer_path="t.json", eval_files=[], eval_steps=0, early_stopping_patience=0)
        ends = []
        for eos in ("<a>", "<b>"):
            self.write("tokenizer_config.json", json.dumps({"eos_token": eos}))
            self.train("--output_dir", "ends", "--resume_from_checkpoint", "auto", "--save_steps", "0", config="eos.json")
            counts = json.loads((self.folder / "ends" / "frequency.json").read_text())["counts"]
            ends.append(counts[95:97])
            for checkpoint in (self.folder / "ends").glob("checkpoint-*"):
                subprocess.run(["rm", "-r", str(checkpoint)], check=True)
        self.assertEqual(ends[0][0] > 0, True)
        self.assertEqual(ends[1], [0, ends[0][0]])

    # ------------------------------------------------------------------ bad input

    def test_bad_files_end_with_3_name_the_place_and_leave_nothing(self):
        good = json.dumps({"text": self.lines[0]}) + "\n"
        compressed = gzip.compress(self.text.encode())
        cases = {
            "a.jsonl": (good + '{"text": 1}\n', "line 2"),
            "b.jsonl": (good * 2 + '{"text": "a", "prompt": "b", "completion": "c"}\n', "line 3"),
            "c.jsonl": (good + '{"other": "a"}\n', "line 2"),
            "d.jsonl": (good + '{"text": "\\ud800"}\n', "line 2"),
            "e.jsonl": (good + '{"text": "' + "a" * (17 << 20) + '"}\n', "line 2"),
            "f.jsonl": (good.encode() + b'{"text": "\xff"}\n', "line 2"),
            "g.txt.gz": (compressed[: len(compressed) // 2], "byte"),
            "h.txt.zst": (b"no archive", "h.txt.zst"),
            "i.txt": (b"caf\xe9", "byte 3"),
            "j.npy": (b"\x93NUMPY", "j.npy"),
        }
        # UTF-16 and UTF-32 without a mark, in every container.
        wide = {"k.txt": lambda data: data, "k.jsonl": lambda data: data, "k.txt.gz": gzip.compress, "k.jsonl.gz": gzip.compress,
                "k.txt.zst": stored_zst, "k.jsonl.zst": stored_zst}  # fmt: skip
        for number, encoding in enumerate(("UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE")):
            for name, pack in wide.items():
                text = good if ".jsonl" in name else self.text
                cases[f"{number}{name}"] = (pack(text.encode(encoding)), f"{name}' looks like {encoding}")
        for name, (content, place) in cases.items():
            with self.subTest(name):
                self.write(name, content)
                before = sorted(self.folder.iterdir())
                self.assertIn(place, self.train("--train_files", name, "--output_dir", "bad", code=DATA).error)
                self.assertEqual(sorted(self.folder.iterdir()), before)
                self.assertIn(place, self.run_program("count", *TOKENIZER, name, code=DATA).error)


if __name__ == "__main__":
    program.main()
