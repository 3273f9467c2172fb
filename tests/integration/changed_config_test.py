#!/usr/bin/env python3
"""Each key of run.json, changed between two starts of a run, is refused by its name or allowed and logged."""

import concurrent.futures
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

STEPS = 4

# Another valid value of each key than that of the job below; files are those in its folder.
ALLOWED = {
    "output_dir": "elsewhere", "max_steps": 6, "num_train_epochs": 5, "num_threads": 2, "save_steps": 2,
    "save_total_limit": 4, "resume_from_checkpoint": "run/checkpoint-4", "logging_steps": 3, "tensorboard": "false",
    "max_minutes": 60, "model_path": "copy/model.pt", "tokenizer_path": "copy/tokenizer.model",
    "train_files": "copy/train.txt", "eval_files": "copy/eval.txt", "pdl_frequency_table": "table.json",
    "chat_date": "2026-01-02", "sample_prompts": "a", "sample_max_new_tokens": 3, "sample_temperature": 1, "sample_top_p": 0.5,
}
REFUSED = {
    "text_document": "line", "text_field": "t", "prompt_field": "p",
    "completion_field": "c", "messages_field": "m", "chat_template": "plain", "completion_only_loss": "false",
    "add_bos": "true", "add_eos": "false", "max_length": 16, "packing": "false", "shuffle": "false", "pdl_alpha": 0.5,
    "pdl_epsilon": 2, "pdl_frequency": "relative", "pdl_unseen": "count_one", "pdl_special_tokens": "neutral",
    "pdl_max_ratio": 5, "pdl_alpha_warmup_steps": 3, "pdl_max_unseen_share": 0.6, "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2, "per_device_eval_batch_size": 16, "learning_rate": 0.02,
    "lr_scheduler_type": "linear", "warmup_steps": 2, "min_lr_ratio": 0.1, "weight_decay": 0.1, "adam_beta1": 0.8,
    "adam_beta2": 0.99, "adam_epsilon": 1e-6, "max_grad_norm": 2, "optim": "sgd", "momentum": 0.8,
    "logits_chunk_rows": 64, "freeze": "bias", "precision": "bf16", "device": "cpu", "seed": 7, "eval_steps": 3,
    "eval_max_batches": 1, "early_stopping_patience": 2, "metric_for_best_model": "eval_loss", "max_bad_steps": 5,
    "spike_threshold": 8, "eval_bias_grid": "0:1:0.5", "spike_action": "skip", "isolate_documents": "false"
}
# Those that a TorchScript file refuses by itself.
NATIVE = {"gradient_checkpointing": "true", "lora_rank": 2, "lora_alpha": 8, "lora_dropout": 0.1, "lora_target_modules": "q",
          "adapter_path": "copy"}


def run(folder, *arguments):
    return program.run(*arguments, folder=folder)


def command(*flags):
    return ["--config", "run.json", "--max_steps", STEPS, "--save_steps", STEPS, "--eval_steps", 2, *flags]


class ChangedConfigTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)
        self.job = self.root / "job"
        self.assertEqual(run(self.root, "init", "job", "--preset", "tiny").returncode, 0)
        (self.job / "copy").mkdir()
        for name in ("model.pt", "tokenizer.model", "train.txt", "eval.txt"):
            shutil.copy(self.job / name, self.job / "copy")
        first = run(self.job, *command())
        self.assertEqual(first.returncode, 0, first.stderr)
        shutil.copy(self.job / "run" / "frequency.json", self.job / "table.json")

    def resume(self, key, value):
        folder = self.root / key  # of its own: one process trains in an output_dir
        shutil.copytree(self.job, folder)
        flags = [] if key == "output_dir" else ["--output_dir", "run"]
        if key == "output_dir":
            flags = ["--resume_from_checkpoint", "run/checkpoint-4"]
        # The summary is there only when a run is complete, which would do nothing.
        (folder / "run" / "summary.json").unlink()
        arguments = command(*flags)
        if f"--{key}" in arguments:
            at = arguments.index(f"--{key}")
            del arguments[at:at + 2]
        return key, run(folder, *arguments, f"--{key}", value)

    def test_other_content_is_refused(self):
        for key, name, code in (("model_path", "model.pt", 4), ("tokenizer_path", "tokenizer.model", 4),
                                ("train_files", "train.txt", 3), ("eval_files", "eval.txt", 3)):
            with self.subTest(key=key):
                run(self.root, "init", f"other-{key}", "--preset", "tiny", "--seed", 2)
                other = self.root / f"other-{key}" / name
                if name.endswith(".txt"):
                    other.write_text(other.read_text() + "\n\none more\n")
                _, result = self.resume(key, other)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn("has changed since", result.stderr)

    def test_another_frequency_table_is_refused(self):
        _, result = self.resume("pdl_reference_files", "train.txt")  # every token of it, not the targets
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("the 'frequency table' has changed since", result.stderr)

    def test_every_key(self):
        schema = json.loads(run(self.root, "schema").stdout)
        known = [*ALLOWED, *REFUSED, *NATIVE, "pdl_reference_files"]
        self.assertEqual(sorted(schema["properties"]), sorted(known))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = dict(pool.map(lambda item: self.resume(*item), {**ALLOWED, **REFUSED, **NATIVE}.items()))
        for key, result in results.items():
            with self.subTest(key=key):
                if key in ALLOWED:
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertIn(f"resuming with another {key} than ", result.stderr)
                elif key in NATIVE:
                    self.assertEqual(result.returncode, 2, result.stderr)
                    self.assertIn(f"error: {key}: ", result.stderr)
                else:
                    self.assertEqual(result.returncode, 2, result.stderr)
                    self.assertRegex(result.stderr, rf"error: cannot resume from .* with another (.*, )?{key}\b")


if __name__ == "__main__":
    program.main()
