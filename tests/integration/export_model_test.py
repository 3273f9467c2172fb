"""Tests of scripts/export_model.py: the files that it writes, and the inputs that it refuses.

    python tests/integration/export_model_test.py [--binary build/release/pdl-train]

With a binary, every architecture is trained with it for two steps. All models are small, random, and made here. That it finds wrong files by itself is the matter of
export_verification_test.py; training of what it exports, of export_training_test.py.
"""

import functools
import json
import os
import subprocess
import sys
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))

from exporter import TemporaryFolderTest
import program
from small_models import (
    GEMMA2,
    GPT2,
    LLAMA,
    MAX_POSITIONS,
    MISTRAL,
    MODELS,
    OPT_LIKE,
    REFUSED,
    SWITCHABLE,
    TIED,
    VOCAB_SIZE,
    make_model,
)
import numpy as np
import torch
from torch.nn import functional as F
import transformers
from transformers.models.llama import modeling_llama


class ExportTest(TemporaryFolderTest):
    """Files that are written."""

    def check_file(self, name, arguments):
        """Exports a model and compares the file with it, apart from the exporter's own checks."""
        stock, report = self.export(arguments)
        extra_files = {"pdl_meta.json": ""}
        loaded = torch.jit.load(self.output, _extra_files=extra_files).eval()
        metadata = json.loads(extra_files["pdl_meta.json"])
        names = [key for key, _ in stock.named_parameters(remove_duplicate=False)]
        self.assertCountEqual(
            [key for key, _ in loaded.named_parameters(remove_duplicate=False)], names
        )
        self.assertEqual(metadata["vocab_size"], VOCAB_SIZE)
        self.assertEqual(metadata["max_positions"], MAX_POSITIONS)
        self.assertEqual((metadata["head"], report["head"]), (True, True))
        self.assertEqual(metadata["config"]["model_type"], arguments["model_type"])
        dropout = "switchable" if name in SWITCHABLE else "none"
        self.assertEqual((metadata["dropout"], report["dropout"]), (dropout, dropout))
        if name in TIED:
            self.assertEqual((metadata["tied"], report["tied"]), (TIED[name], TIED[name]))
        if name != "gptj":  # Traced with its own attention, which fixes the device.
            self.assertEqual(report["device_constants"], 0)
            self.assertEqual(report["warnings"], [])
        ids = torch.randint(VOCAB_SIZE, (2, 61))
        with torch.no_grad():
            difference = (loaded(ids) - stock(input_ids=ids).logits).abs().max().item()
        self.assertLess(difference, 1e-5)

    def check_training(self):
        """pdl-train takes the file, with its hidden and head, but no row that is longer than it says."""
        if not program.binary():
            return
        data = os.path.join(self.output_folder, "ids.npy")
        np.save(data, np.random.default_rng(0).integers(VOCAB_SIZE, size=1000, dtype=np.int32))
        job = ("--model_path", self.output, "--train_files", data, "--max_steps", 2, "--device", "cpu")
        folder = os.path.join(self.output_folder, "run")
        result = program.run(*job, "--output_dir", folder, "--max_length", MAX_POSITIONS)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("warning", result.stderr)
        result = program.run("check", *job, "--output_dir", folder + "2", "--max_length", MAX_POSITIONS + 1)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn(f"made for {MAX_POSITIONS}", result.stderr)

    def test_every_architecture(self):
        for name, arguments in MODELS.items():
            with self.subTest(name):
                self.make_folders()
                self.check_file(name, arguments)
                self.check_training()

    def test_dropout_follows_the_mode(self):
        for arguments in (GPT2, LLAMA):
            with self.subTest(arguments["model_type"]):
                self.make_folders()
                self.export(arguments)
                loaded = self.load()
                ids = torch.randint(VOCAB_SIZE, (2, 20))
                with torch.no_grad():
                    loaded.train()
                    self.assertFalse(torch.equal(loaded(ids), loaded(ids)))
                    loaded.eval()
                    self.assertTrue(torch.equal(loaded(ids), loaded(ids)))

    def test_no_dropout_leaves_it_out(self):
        for arguments in (GPT2, LLAMA, {"model_type": "opt", **OPT_LIKE}):
            with self.subTest(arguments["model_type"]):
                self.make_folders()
                _, report = self.export(arguments, "--no_dropout")
                self.assertEqual(report["dropout"], "removed")
                loaded = self.load()
                ids = torch.randint(VOCAB_SIZE, (2, 20))
                with torch.no_grad():
                    trained = loaded.train()(ids)
                    self.assertTrue(torch.equal(trained, loaded.eval()(ids)))

    def test_tied_head_stays_tied(self):
        self.export(GPT2)
        parameters = dict(self.load().named_parameters(remove_duplicate=False))
        embedding = parameters["transformer.wte.weight"]
        head = parameters["lm_head.weight"]
        with torch.no_grad():
            embedding.fill_(3.0)
        self.assertTrue(torch.equal(head, embedding))

    def test_window_is_left_out_where_no_row_exceeds_it(self):
        _, report = self.export(MISTRAL)
        self.assertEqual(report["attention"], ["ExplicitCausalAttention"])
        self.assertIn([1, 25], report["shapes"])  # Longer than the window of 16.
        _, report = self.export(MISTRAL, "--max_length", "16")
        self.assertEqual(report["attention"], ["FusedCausalAttention"])
        self.assertEqual(report["max_length"], 16)

    def test_replaces_an_existing_file(self):
        with open(self.output, "w", encoding="utf-8") as file:
            file.write("old")
        self.export(GPT2)
        self.load()

    def test_runs_as_a_program(self):
        make_model(GPT2, self.model_folder)
        script = os.path.join(ROOT, "scripts", "export_model.py")
        command = [sys.executable, script, self.model_folder, "--output", self.output]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\A([a-z: ]+, \d+ s\n)*\Z")  # progress, on a slow machine
        self.assertEqual(json.loads(done.stdout)["architecture"], "GPT2LMHeadModel")
        self.assertEqual(os.listdir(self.output_folder), ["model.pt"])


class HeadTest(TemporaryFolderTest):
    """The methods `hidden` and `head`."""

    def test_they_make_up_forward(self):
        for arguments in (GPT2, LLAMA, GEMMA2):
            with self.subTest(arguments["model_type"]):
                self.make_folders()
                stock, _ = self.export(arguments)
                loaded = self.load().eval()
                ids = torch.randint(VOCAB_SIZE, (3, 29))
                with torch.no_grad():
                    hidden, logits = loaded.hidden(ids), loaded(ids)
                    expected = stock.base_model(input_ids=ids).last_hidden_state
                    self.assertLess((hidden - expected).abs().max().item(), 1e-5)
                    self.assertTrue(torch.equal(loaded.head(hidden), logits))
                    for shape in ((87,), (3, 29), (29, 1, 3)):
                        shaped = loaded.head(hidden.reshape(*shape, -1))
                        self.assertEqual(shaped.shape, (*shape, VOCAB_SIZE))
                        torch.testing.assert_close(shaped.reshape(3, 29, -1), logits)

    def test_training_with_chunks_of_logits_moves_tied_weights_as_a_whole_batch_does(self):
        self.export(GPT2)
        ids = torch.randint(VOCAB_SIZE, (3, 29))
        targets = torch.randint(VOCAB_SIZE, (87,))
        moved = []
        for chunk in (87, 10):
            loaded = self.load().train()
            torch.manual_seed(0)
            hidden = loaded.hidden(ids).flatten(0, 1)
            leaf = hidden.detach().requires_grad_()
            for rows, labels in zip(leaf.split(chunk), targets.split(chunk)):
                F.cross_entropy(loaded.head(rows), labels, reduction="sum").backward()
            hidden.backward(leaf.grad)
            torch.optim.SGD(loaded.parameters(), lr=0.01).step()
            parameters = dict(loaded.named_parameters(remove_duplicate=False))
            embedding = parameters["transformer.wte.weight"]
            self.assertTrue(torch.equal(parameters["lm_head.weight"], embedding))
            moved.append(embedding.detach())
        torch.testing.assert_close(moved[0], moved[1])

    def check_forward_alone(self, stock, report):
        self.assertFalse(report["head"])
        self.assertIn("no methods hidden and head", "".join(report["warnings"]))
        loaded = self.load().eval()
        self.assertFalse(hasattr(loaded, "hidden") or hasattr(loaded, "head"))
        ids = torch.randint(VOCAB_SIZE, (3, 29))
        with torch.no_grad():
            torch.testing.assert_close(loaded(ids), stock(input_ids=ids).logits)

    def test_model_without_a_body_has_forward_alone(self):
        with mock.patch.object(modeling_llama.LlamaForCausalLM, "base_model_prefix", "none"):
            self.check_forward_alone(*self.export({**LLAMA, "attention_dropout": 0.0}))

    def test_logits_that_depend_on_other_rows_have_forward_alone(self):
        correct = modeling_llama.LlamaForCausalLM.forward

        @functools.wraps(correct)
        def forward(self, **kwargs):
            output = correct(self, **kwargs)
            output.logits = output.logits.cumsum(1)
            return output

        with mock.patch.object(modeling_llama.LlamaForCausalLM, "forward", forward):
            self.check_forward_alone(*self.export(LLAMA))


class Bfloat16Test(TemporaryFolderTest):
    """Exported files under autocast."""

    def matrix_product_angles(self, value, position_ids):
        """LlamaRotaryEmbedding.forward as older versions of transformers have it."""
        frequencies = self.inv_freq[None, :, None].expand(position_ids.shape[0], -1, 1)
        with torch.autocast("cpu", enabled=False):
            angles = (frequencies.float() @ position_ids[:, None, :].float()).transpose(1, 2)
            angles = torch.cat((angles, angles), -1)
        return angles.cos().to(value.dtype), angles.sin().to(value.dtype)

    def check_far_positions(self):
        # Large weights, so that attention follows the positions.
        arguments = {**LLAMA, "max_position_embeddings": 512, "initializer_range": 0.2}
        _, report = self.export(arguments)
        self.assertEqual(report["warnings"], [])
        loaded = self.load().eval()
        ids = torch.randint(VOCAB_SIZE, (1, 450), generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = loaded(ids)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                actual = loaded(ids)
        self.assertEqual(actual.dtype, torch.bfloat16)
        difference = (actual - expected).abs().amax((0, 2))
        # The error is that of bfloat16 everywhere, and not larger where bfloat16 has no integers.
        self.assertLess(difference[300:].max(), 2 * difference[:200].max())

    def test_positions_stay_float32(self):
        self.check_far_positions()

    def test_positions_stay_float32_in_a_matrix_product(self):
        rotary = modeling_llama.LlamaRotaryEmbedding
        with mock.patch.object(rotary, "forward", Bfloat16Test.matrix_product_angles):
            self.check_far_positions()


class RefusalTest(TemporaryFolderTest):
    """Models and command lines that are refused."""

    def test_models_that_cannot_be_exported_exactly(self):
        for name, (arguments, reason) in REFUSED.items():
            with self.subTest(name):
                self.make_folders()
                make_model(arguments, self.model_folder)
                self.assert_not_exported(4, reason)

    def test_missing_weights(self):
        make_model(GPT2, self.model_folder)
        config = transformers.AutoConfig.for_model(**{**GPT2, "n_layer": 3})
        config.save_pretrained(self.model_folder)
        self.assert_not_exported(4, "missing keys")

    def test_missing_and_broken_folders(self):
        self.assert_not_exported(4, "config.json")
        make_model(GPT2, self.model_folder)
        with open(os.path.join(self.model_folder, "config.json"), "w", encoding="utf-8") as file:
            file.write("{")
        self.assert_not_exported(4, "config.json")

    def test_usage(self):
        make_model(GPT2, self.model_folder)
        self.assert_refused(2, "--output", [self.model_folder])
        self.assert_refused(2, "FOLDER", ["--output", self.output])
        self.assert_not_exported(2, "--max_len", "--max_len", "16")
        self.assert_not_exported(2, "--max_length", "--max_length", "1")
        self.assert_not_exported(2, "128 positions", "--max_length", "129")
        self.assert_not_exported(2, "--device", "--device", "abacus")
        nowhere = os.path.join(self.output_folder, "none", "model.pt")
        self.assert_refused(2, "no folder", [self.model_folder, "--output", nowhere])
        self.assert_refused(2, "is a folder", [self.model_folder, "--output", self.output_folder])

    def test_failed_write_keeps_the_old_file(self):
        make_model(GPT2, self.model_folder)
        with open(self.output, "w", encoding="utf-8") as file:
            file.write("old")
        full = OSError(28, "No space left on device")
        with mock.patch.object(os, "fsync", side_effect=full):
            self.assert_not_exported(6, "No space left")
        with open(self.output, encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")


if __name__ == "__main__":
    program.main(needed=False)
