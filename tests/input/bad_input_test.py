#!/usr/bin/env python3
"""Malformed configs, corpora, tokenizers, tables, checkpoints and models: every one ends with the right exit code and one
line, makes nothing, and takes little time and memory.

    .venv/bin/python tests/input/bad_input_test.py --binary build/release/pdl-train [--full]

Without --full some inputs of every kind are tried. The binary may also be named by PDL_TRAIN_BINARY. The Python needs torch.
"""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import bad_configs  # noqa: E402
import bad_corpora  # noqa: E402
import bad_models  # noqa: E402
import bad_tables  # noqa: E402
import bad_tokenizers  # noqa: E402
import program  # noqa: E402
import refusals  # noqa: E402

SEED = 1
NUM_FEW = 60
MORE_BYTES = 600 << 20  # beside twice the input: what the program and LibTorch take themselves

CONFIG = {
    "model_path": "model.pt", "tokenizer_path": "tokenizer.model", "train_files": "train.txt", "eval_files": "eval.txt",
    "text_document": "paragraph", "output_dir": "out", "max_length": 32, "max_steps": 2, "num_threads": 1, "eval_max_batches": 1,
    "save_steps": 2, "tensorboard": False,
}  # fmt: skip


def evenly(cases, count):
    """About `count` of the cases, at equal distances within each kind, and some of every kind."""
    kinds = collections.defaultdict(list)
    for case in cases:
        kinds[case.kind].append(case)
    chosen = []
    for same in kinds.values():
        share = max(6, round(count * len(same) / len(cases) / 2 + count / len(kinds) / 2))
        chosen += [same[i * len(same) // share] for i in range(share)]
    return chosen


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.job = pathlib.Path(temporary.name) / "job"
        cls.run_good("init", cls.job, "--preset", "tiny", folder=temporary.name)
        (cls.job / "run.json").write_text(json.dumps(CONFIG))
        cls.run_good("--config", "run.json", folder=cls.job)
        shutil.move(cls.job / "out", pathlib.Path(temporary.name) / "trained")
        cls.trained = pathlib.Path(temporary.name) / "trained"
        cls.folders = [f"{cls.job}-{number}" for number in range(refusals.WORKERS)]
        for copy in cls.folders:
            shutil.copytree(cls.job, copy)

    @staticmethod
    def run_good(*arguments, folder):
        process = subprocess.run([program.binary(), *arguments], cwd=folder, capture_output=True, check=False)
        assert process.returncode == 0, process.stderr

    def all_cases(self):
        checkpoint = {path.name: path.read_bytes() for path in (self.trained / "checkpoint-2").iterdir()}
        table = json.loads((self.trained / "frequency.json").read_text())
        return [
            *bad_configs.cases({key: CONFIG[key] for key in ("output_dir", "model_path", "tokenizer_path", "train_files")}),
            *bad_corpora.cases(SEED, (self.job / "train.txt").read_bytes()),
            *bad_tokenizers.cases(SEED, (self.job / "tokenizer.model").read_bytes()),
            *bad_tables.cases(SEED, table, checkpoint, str(self.job)),
            *bad_models.cases(SEED, (self.job / "model.pt").read_bytes()),
        ]

    @staticmethod
    def write(folder, files):
        """Returns how many bytes the files have."""
        size = 0
        for name, content in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if callable(content):
                content(path)
            else:
                pathlib.Path(path).write_bytes(content)
            size += os.lstat(path).st_size
        return size

    @staticmethod
    def remove(folder, files):
        for name in {name.split("/")[0] for name in files}:
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

    def problems(self, case, folder):
        files = case.files(folder)
        size = self.write(folder, files)
        outcome = refusals.observe(case.arguments, folder)
        self.remove(folder, files)
        found = refusals.problems_of(outcome, case.codes, max_bytes=2 * size + MORE_BYTES)
        if case.part not in outcome.message.decode(errors="replace"):
            found.append(f"{case.part!r} is not in the message")
        return found, outcome

    def test_every_bad_input_is_refused(self):
        cases = self.all_cases()
        if not FULL:
            cases = evenly(cases, NUM_FEW)
        results = refusals.observe_all(cases, self.folders, self.problems)
        for case, (found, outcome) in zip(cases, results, strict=True):
            with self.subTest(kind=case.kind, case=case.name):
                self.assertEqual(found, [], outcome.message[-1000:])
        counts = collections.Counter(case.kind for case in cases)
        peak = max(outcome.peak_bytes for _, outcome in results) >> 20
        slowest = max(outcome.cpu_s for _, outcome in results)
        failed = collections.Counter(case.kind for case, (found, _) in zip(cases, results) if found)
        for kind, count in counts.items():  # as the tests of tests/reliability do
            print("count", f"bad input refused: {kind}", count, failed[kind], sep="\t")
        print(f"at most {peak} MiB and {slowest:.1f} s of CPU", file=sys.stderr)


if __name__ == "__main__":
    FULL = "--full" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--full"]
    program.main()
