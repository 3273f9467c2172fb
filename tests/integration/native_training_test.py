"""Native models of every family train as transformers' do with PyTorch.

    python tests/integration/native_training_test.py --binary build/release/pdl-train

or with the binary in PDL_TRAIN_BINARY. Needs torch and transformers.
"""

import dataclasses
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import native_families  # noqa: E402
import program  # noqa: E402
from native_comparison_case import (  # noqa: E402
    NativeComparisonCase, read_config, saved, stored, write_config,
)  # fmt: skip

# With a larger epsilon than the usual Adam does not make steps of the rounding of gradients that
# are zero by their formula, as those of a key's bias can be.
TRAINING = {"max_steps": 5, "learning_rate": 1e-3, "adam_epsilon": 1e-4}
PLAIN = {**TRAINING, "pdl_alpha": 0.0, "max_grad_norm": 0.0, "lr_scheduler_type": "constant"}
FULL = {
    **TRAINING, "pdl_alpha": 0.25, "max_grad_norm": 0.5, "weight_decay": 0.1,
    "gradient_accumulation_steps": 2, "warmup_steps": 1, "lr_scheduler_type": "cosine",
}  # fmt: skip


class NativeTrainingTest(NativeComparisonCase):
    def test_all_families(self):
        for variant in native_families.VARIANTS:
            with self.subTest(variant):
                folder = self.make_folder(variant, variant)
                compared = self.compared(folder)
                self.assert_equal(compared.gradients(self.data))
                without_eval = dataclasses.replace(self.data, eval_rows=[])
                self.assert_equal(compared.training("plain", without_eval, PLAIN, isolates=False))
                self.assert_equal(compared.training("full", self.data, FULL))
                model = compared.scratch / "full" / "out" / "model"
                self.assertEqual(set(stored(model)), set(stored(folder)))

    def test_sequences_and_logits(self):
        compared = self.compared(self.make_folder("llama"), checks_sequences=True)
        self.assert_equal(compared.gradients(self.data))
        self.assert_equal(compared.logits(native_families.VOCAB))

    def test_a_difference_is_found(self):
        folder = self.make_folder("llama")
        found = self.compared(folder).training("a", self.data, {**PLAIN, "weight_decay": 0.0})
        self.assert_equal(found)
        other = self.compared(folder)
        run = other.run
        other.run = lambda *arguments: run(*arguments, "--learning_rate", "0.00101")
        found = other.training("a", self.data, PLAIN)
        self.assertGreater(found["learning_rate"], 1e-3)
        self.assertGreater(found["parameters"], 1e-5)
        self.assertGreater(found["loss"], 1e-6)

    def set_keys(self, folder, **keys):
        write_config(folder, {**read_config(folder), **keys})

    def test_dropout_runs_and_resumes(self):
        for variant, keys in (("gpt2", ("embd_pdrop", "attn_pdrop", "resid_pdrop")),
                              ("llama_biases", ("attention_dropout",))):  # fmt: skip
            with self.subTest(variant):
                folder = self.make_folder(variant, variant)
                steps = {"max_steps": 4, "lr_scheduler_type": "constant", "learning_rate": 1e-3}
                without = self.train(folder, **steps).lines("train")
                self.set_keys(folder, **dict.fromkeys(keys, 0.2))
                whole = self.train(folder, **steps)
                with_dropout = whole.lines("train")
                self.assertGreater(abs(with_dropout[0]["loss"] - without[0]["loss"]), 1e-4)
                halves = self.train(folder, **{**steps, "max_steps": 2})
                halves.run("--config", halves.config, "--max_steps", "4")
                losses = [line["loss"] for line in with_dropout]
                self.assertEqual([line["loss"] for line in halves.lines("train")], losses)
                for name, tensor in saved(whole).items():
                    self.assertTrue(tensor.equal(saved(halves)[name]), name)


if __name__ == "__main__":
    program.main()
