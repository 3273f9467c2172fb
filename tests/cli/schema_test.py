#!/usr/bin/env python3
"""`pdl-train schema` against an independent validator, and against what the program accepts.

    .venv/bin/python tests/cli/schema_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. Each config is run in a folder that has no model,
so that a config the program accepts ends in an exit code other than 2.
"""

import json
import pathlib
import sys
import tempfile
import unittest

import jsonschema

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

EXIT_CONFIG = 2
TIMEOUT_S = 60


# With every config; a key given as None is left out.
MINIMAL = {
    "model_path": "missing.pt",
    "tokenizer_path": "missing.model",
    "train_files": "missing.txt",
    "output_dir": "out",
}

GOOD = [
    {},
    {"train_files": ["missing.txt", "other.txt"]},
    {"eval_files": "", "freeze": ""},
    {"eval_files": [], "freeze": []},
    {"text_document": "line", "add_bos": True, "add_eos": False},
    {"max_length": 2},
    {"max_length": 2147483647},
    {"packing": False, "shuffle": False},
    {"pdl_alpha": 0},
    {"pdl_alpha": 1e300},
    {"pdl_epsilon": 1e-12},
    {"pdl_frequency": "relative", "pdl_unseen": "count_one", "pdl_special_tokens": "neutral"},
    {"pdl_max_ratio": 0},
    {"pdl_max_ratio": 1},
    {"pdl_max_unseen_share": 1},
    {"pdl_frequency_table": "missing.json"},
    {"pdl_reference_files": ["missing.txt"]},
    {"pdl_frequency_table": "", "pdl_reference_files": ["missing.txt"]},
    {"max_steps": -1},
    {"max_steps": 9223372036854775807},
    {"num_train_epochs": 0.5},
    {"learning_rate": 0},
    {"lr_scheduler_type": "warmup_stable_decay", "warmup_steps": 0.1, "min_lr_ratio": 1},
    {"warmup_steps": 300},
    {"adam_beta1": 0, "adam_beta2": 0.9999, "max_grad_norm": 0},
    {"device": "cpu", "num_threads": 2, "seed": 0},
    {"eval_steps": 10, "eval_files": "missing.txt", "early_stopping_patience": 3},
    {"eval_steps": 0, "early_stopping_patience": 0},
    {"save_steps": 0, "save_total_limit": 0},
    {"resume_from_checkpoint": "never"},
    {"precision": "bf16", "optim": "sgd", "momentum": 0.5, "logits_chunk_rows": 256},
    {"precision": "fp32", "optim": "adamw", "momentum": 0, "logits_chunk_rows": 0},
    {"text_field": "body", "chat_template": "llama3", "completion_only_loss": False},
    {"train_files": ["a.jsonl", "b.txt.gz", "c.jsonl.zst"], "eval_files": "-"},
    {"pdl_reference_files": "ids.npy", "tokenizer_path": "tokenizer.json"},
    {"max_minutes": 5, "spike_threshold": 4.5, "spike_action": "skip"},
    {"metric_for_best_model": "eval_accuracy", "tensorboard": False, "logging_steps": 1},
]

BAD = [
    {"model_path": None},
    {"train_files": None},
    {"output_dir": None},
    {"model_path": ""},
    {"train_files": []},
    {"train_files": ""},
    {"train_files": ["a.txt", ""]},
    {"train_files": ["a.txt", 1]},
    {"train_files": "a.csv"},
    {"train_files": ["a.txt", "b.npy.gz"]},
    {"eval_files": "--"},
    {"pdl_reference_files": "ids.npz"},
    {"pdl_alhpa": 1},
    {"text_document": "page"},
    {"add_bos": 1},
    {"add_bos": "true"},
    {"max_length": 1},
    {"max_length": 2147483648},
    {"max_length": 1.5},
    {"max_length": "5"},
    {"packing": {}},
    {"pdl_alpha": -0.1},
    {"pdl_alpha": "0.1"},
    {"pdl_epsilon": 0},
    {"pdl_max_ratio": 0.5},
    {"pdl_max_unseen_share": 1.01},
    {"max_steps": 0},
    {"max_steps": -2},
    {"num_train_epochs": 0},
    {"per_device_train_batch_size": 0},
    {"gradient_accumulation_steps": 0},
    {"per_device_eval_batch_size": -1},
    {"warmup_steps": 1.5},
    {"min_lr_ratio": 2},
    {"adam_beta1": 1},
    {"adam_beta2": -0.1},
    {"device": "gpu"},
    {"device": "cuda:x"},
    {"num_threads": 4097},
    {"seed": -1},
    {"seed": 9223372036854775808},
    {"seed": 1e30},
    {"eval_steps": 10},
    {"eval_steps": 10, "eval_files": []},
    {"early_stopping_patience": 3, "eval_files": "missing.txt"},
    {"early_stopping_patience": 3, "eval_steps": 10},
    {"pdl_frequency_table": "t.json", "pdl_reference_files": "r.txt"},
    {"resume_from_checkpoint": ""},
    {"logging_steps": 0},
    {"max_bad_steps": 0},
    {"precision": "fp64"},
    {"optim": "adam"},
    {"momentum": 1},
    {"logits_chunk_rows": -1},
    {"max_minutes": -1},
    {"spike_action": "stop"},
    {"freeze": "x" * 1001},
    {"output_dir": "x" * 4097},
    {"seed": [1]},
]

# Whether a null is refused is asked apart, because None above means that the key is left out.
NULL_TEXT = '{"model_path": "m", "train_files": "a.txt", "output_dir": "o", "seed": null}'


def run(arguments, folder):
    """Runs the program and returns the completed process."""
    return program.run(*arguments, folder=folder, timeout_s=TIMEOUT_S)


def complete(changes):
    """The minimal config with `changes`; a value of None removes the key."""
    config = {**MINIMAL, **changes}
    return {key: value for key, value in config.items() if value is not None}


class SchemaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        process = run(["schema"], cls.folder.name)
        assert process.returncode == 0, process.stderr
        cls.schema = json.loads(process.stdout)
        cls.validator = jsonschema.Draft202012Validator(cls.schema)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def exit_code(self, text, flags=()):
        """Exit code and stderr of a run with `text` as run.json; it must leave nothing behind."""
        folder = pathlib.Path(self.folder.name)
        (folder / "run.json").write_text(text, encoding="utf-8")
        process = run(["--config", "run.json", *flags], folder)
        self.assertEqual([path.name for path in folder.iterdir()], ["run.json"])
        return process.returncode, process.stderr

    def assert_agreement(self, text, accepted):
        self.assertEqual(self.validator.is_valid(json.loads(text)), accepted, "the schema")
        code, message = self.exit_code(text)
        self.assertNotEqual(code, 0, message)
        self.assertEqual(code != EXIT_CONFIG, accepted, f"the program: {code} {message}")

    def test_schema_is_valid(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_defaults_are_valid(self):
        defaults = {
            key: value["default"]
            for key, value in self.schema["properties"].items()
            if "default" in value
        }
        self.assertGreater(len(defaults), 50)
        self.validator.validate({**defaults, **MINIMAL})

    def test_devices(self):
        # Not run: without a GPU the program may refuse what the schema allows.
        for device in ("auto", "cuda", "cuda:0", "cuda:12"):
            self.assertTrue(self.validator.is_valid(complete({"device": device})), device)

    def test_every_key_has_a_description(self):
        for key, value in self.schema["properties"].items():
            self.assertTrue(value.get("description"), key)

    def test_good_configs(self):
        for changes in GOOD:
            with self.subTest(changes=changes):
                self.assert_agreement(json.dumps(complete(changes)), accepted=True)

    def test_bad_configs(self):
        for changes in BAD:
            with self.subTest(changes=str(changes)[:100]):
                self.assert_agreement(json.dumps(complete(changes)), accepted=False)

    def test_null_is_refused(self):
        self.assert_agreement(NULL_TEXT, accepted=False)

    def test_flags_are_held_to_the_same_rules(self):
        text = json.dumps(MINIMAL)
        good = ["--max_steps", "-1", "--packing", "false", "--freeze", "[ab]", "c", "--seed=7"]
        code, message = self.exit_code(text, good)
        self.assertNotIn(code, (0, EXIT_CONFIG), message)
        for bad in (
            ["--max_steps", "0"],
            ["--packing", "yes"],
            ["--seed", "1", "--seed", "2"],
            ["--seed"],
            ["--output_dir", "--packing", "false"],
            ["--no_such_key", "1"],
        ):
            with self.subTest(flags=bad):
                code, message = self.exit_code(text, bad)
                self.assertEqual(code, EXIT_CONFIG, message)
                self.assertIn(bad[0].lstrip("-"), message)


if __name__ == "__main__":
    program.main()
