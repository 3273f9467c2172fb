"""Tests of training what scripts/export_model.py exports, in a plain loop and in pdl-train.

    python tests/integration/export_training_test.py [--binary build/release/pdl-train]

All models are small, random, and made here. The test that trains with pdl-train takes the program
from --binary or from the environment variable PDL_TRAIN_BINARY, and is skipped without either.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("tests/golden", "tests/support")]

from exporter import run_exporter
import program
import reference_trainer
from small_corpus import make_corpus, make_tokenizer
from small_models import GPT2, LLAMA, make_model
import torch


class TrainingTest(unittest.TestCase):
    """Training of exported models, in a plain loop and in pdl-train."""

    NUM_STEPS = 5
    TOLERANCE = 1e-5

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = temporary.name
        corpus = os.path.join(cls.folder, "corpus.txt")
        with open(corpus, "w", encoding="utf-8") as file:
            file.write(make_corpus(seed=3))
        make_tokenizer(corpus, os.path.join(cls.folder, "tokenizer"))
        cls.jobs = {}
        for arguments in (GPT2, LLAMA):
            folder = os.path.join(cls.folder, arguments["model_type"])
            make_model(arguments, folder)
            for dropout, flags in (("dropout", ()), ("no_dropout", ("--no_dropout",))):
                name = f"{arguments['model_type']}_{dropout}"
                output = os.path.join(cls.folder, f"{name}.pt")
                exit_code, _, stderr = run_exporter(folder, "--output", output, *flags)
                if exit_code != 0:
                    raise AssertionError(f"{name}: {stderr}")
                cls.jobs[name] = cls.write_job(name)

    @classmethod
    def write_job(cls, name):
        """Writes the run.json of a model and returns its path."""
        config = {
            "model_path": f"{name}.pt",
            "tokenizer_path": "tokenizer.model",
            "train_files": "corpus.txt",
            "output_dir": f"{name}_run",
            "text_document": "line",
            "max_length": 32,
            "shuffle": False,
            "pdl_alpha": 0.5,
            "max_steps": cls.NUM_STEPS,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 2,
            "learning_rate": 0.003,
            "lr_scheduler_type": "constant",
            "weight_decay": 0.01,
            "logging_steps": 1,
            "save_steps": 0,
            "tensorboard": False,
            "device": "cpu",
            "num_threads": 1,
            "seed": 7,
            "resume_from_checkpoint": "never",
        }
        path = os.path.join(cls.folder, f"{name}.run.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
        return path

    def reference_losses(self, name, **changes):
        """Losses of a plain PyTorch loop, one per step."""
        config = {**reference_trainer.load_config(self.jobs[name]), **changes}
        num_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self.addCleanup(torch.set_num_threads, num_threads)
        result = reference_trainer.train(config)
        self.assertGreater(result["rows"], 8 * self.NUM_STEPS)  # Every batch is full.
        return [step["loss"] for step in result["steps"]]

    def test_plain_loop_learns(self):
        for name in self.jobs:
            with self.subTest(name):
                losses = self.reference_losses(name)
                self.assertEqual(len(losses), self.NUM_STEPS)
                self.assertLess(losses[-1], losses[0] - 0.1)

    def test_plain_loop_depends_on_the_seed_only_through_dropout(self):
        for name in self.jobs:
            with self.subTest(name):
                losses = self.reference_losses(name)
                self.assertEqual(self.reference_losses(name), losses)
                other = self.reference_losses(name, seed=8)
                if name.endswith("no_dropout"):
                    self.assertEqual(other, losses)
                else:
                    difference = max(abs(a - b) / b for a, b in zip(other, losses))
                    self.assertGreater(difference, 10 * self.TOLERANCE)

    def test_pdl_train_gives_the_losses_of_the_plain_loop(self):
        binary = program.binary()
        if not binary:
            self.skipTest("no pdl-train given by --binary or PDL_TRAIN_BINARY")
        for name, path in self.jobs.items():
            with self.subTest(name):
                command = [binary, "--config", path]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(
                    os.path.join(self.folder, f"{name}_run", "metrics.jsonl"), encoding="utf-8"
                ) as file:
                    events = [json.loads(line) for line in file]
                steps = [event for event in events if event["event"] == "train"]
                self.assertEqual([event["step"] for event in steps], [1, 2, 3, 4, 5])
                expected = self.reference_losses(name)
                for event, loss in zip(steps, expected):
                    self.assertLessEqual(abs(event["loss"] - loss), self.TOLERANCE * loss)


if __name__ == "__main__":
    program.main(needed=False)
