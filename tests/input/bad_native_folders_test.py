#!/usr/bin/env python3
"""Hugging Face folders that are not trained natively are refused with one line that names key and value, or the tensor.
Folders damaged at random are refused, or trained if they are still valid, and never end the program in another way.

    .venv/bin/python tests/input/bad_native_folders_test.py --binary build/release/pdl-train [--count 3000] [--seed 2]

The binary may also be named by PDL_TRAIN_BINARY.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import bad_native_folders  # noqa: E402
import program  # noqa: E402
import refusals  # noqa: E402
from refused_jobs import RefusedJobs  # noqa: E402

COUNT = 300
SEED = 1
MAX_BYTES = 700 << 20  # LibTorch and a job take most of it, whatever the folder says
NOT_FINITE = 7  # flipped bits of weights


def write(folder, files):
    for name, content in files.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        content(path) if callable(content) else path.write_bytes(content)


class BadNativeFoldersTest(RefusedJobs):
    @classmethod
    def make_files(cls, folder):
        process = program.run("count", "--tokenizer_path", "tokenizer.model", "--output", "table.json", "train.txt", folder=folder)
        assert process.returncode == 0, process.stderr
        cls.vocab_size = cls.size_of(folder / "table.json")
        (folder / "table.json").unlink()

    @staticmethod
    def size_of(table):
        return json.loads(table.read_text())["vocab_size"]

    def observe(self, files, folder):
        write(folder, files)
        outcome = refusals.observe(["--config", "run.json", "--model_path", "bad"], folder)
        shutil.rmtree(os.path.join(folder, "bad"))
        return outcome

    def test_an_unchanged_folder_is_trained(self):
        for shards in (1, 2):
            files = {f"bad/{name}": content for name, content in bad_native_folders.Folder(self.vocab_size).files(shards).items()}
            outcome = self.observe(files, self.folders[0])
            self.assertEqual(outcome.code, 0, outcome.message[-1000:])

    def test_computed_buffers_are_passed_over(self):
        folder = bad_native_folders.Folder(self.vocab_size)
        for name in ("rotary_emb.inv_freq", "model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb_local.original_inv_freq"):
            folder.add(name, 2)
        outcome = self.observe({f"bad/{name}": content for name, content in folder.files().items()}, self.folders[0])
        self.assertEqual(outcome.code, 0, outcome.message[-1000:])
        self.assertIn(b"3 tensors of the file are buffers", outcome.message)

    def test_a_missing_folder_is_a_missing_model(self):
        folder = pathlib.Path(self.folders[0])
        config = json.loads((folder / "run.json").read_text())
        config.pop("tokenizer_path")  # by default the folder's own
        (folder / "other.json").write_text(json.dumps(config | {"model_path": "no-such-folder"}))
        outcome = refusals.observe(["--config", "other.json"], folder)
        self.assertEqual(refusals.problems_of(outcome, (refusals.MODEL,), max_bytes=MAX_BYTES), [], outcome.message[-1000:])
        self.assertRegex(outcome.message.decode(), r"^error: model '\S*no-such-folder' does not exist")

    def test_refusals_name_key_and_value(self):
        cases = bad_native_folders.refused_cases(self.vocab_size)
        outcomes = refusals.observe_all(cases, self.folders, lambda case, folder: self.observe(case.files(folder), folder))
        for case, outcome in zip(cases, outcomes, strict=True):
            with self.subTest(kind=case.kind, case=case.name):
                self.assertEqual(refusals.problems_of(outcome, case.codes, max_bytes=MAX_BYTES), [], outcome.message[-1000:])
                for part in case.part.split("|"):
                    self.assertIn(part, outcome.message.decode().splitlines()[-1])
        for kind, count in collections.Counter(case.kind for case in cases).items():
            print("count", f"native folders refused: {kind}", count, 0, sep="\t")

    def test_damaged_folders_are_refused_or_trained(self):
        folders = bad_native_folders.damaged_folders(SEED, COUNT, self.vocab_size)
        outcomes = refusals.observe_all(folders, self.folders, self.observe)
        for number, outcome in enumerate(outcomes):
            with self.subTest(number=number, seed=SEED):
                if outcome.code == 0:
                    self.assertLess(outcome.peak_bytes, MAX_BYTES)
                    continue
                changes = outcome.changes if outcome.code != NOT_FINITE else []
                problems = refusals.problems_of(outcome, (refusals.CONFIG, refusals.MODEL, NOT_FINITE), max_bytes=MAX_BYTES)
                if outcome.code == NOT_FINITE:  # the run began, and may leave its folder
                    problems = [problem for problem in problems if not problem.startswith("created")]
                self.assertEqual((problems, changes), ([], []), outcome.message[-1000:])
        codes = collections.Counter(outcome.code for outcome in outcomes)
        print("count", "native folders damaged", COUNT, sum(codes.values()) - sum(codes[c] for c in (0, 2, 4, 7)), sep="\t")
        print("exit codes:", dict(codes), file=sys.stderr)
        self.assertGreater(codes[refusals.MODEL], COUNT // 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    options, rest = parser.parse_known_args()
    COUNT, SEED = options.count, options.seed
    sys.argv = [sys.argv[0], *rest]
    program.main()
