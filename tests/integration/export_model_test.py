"""Tests of scripts/export_model.py, and of training what it exports.

    python tests/integration/export_model_test.py [--binary build/release/pdl-train]

All models are small, random, and made here. The tests that train with pdl-train take the program
from --binary or from the environment variable PDL_TRAIN_BINARY, and are skipped without either.
"""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("scripts", "tests/golden", "tests/support")
sys.path[:0] = [os.path.join(ROOT, folder) for folder in FOLDERS]

import export_model
import program
from hf_export import attention, splitting, tracing, verification
import reference_trainer
from small_corpus import make_corpus, make_tokenizer
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
import torch
from torch import nn
from torch.nn import functional as F
import transformers
from transformers.models.llama import modeling_llama

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()



def run_exporter(*arguments):
    """Runs the exporter in this process; returns its exit code, stdout and stderr."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        exit_code = export_model.main(list(arguments))
    return exit_code, stdout.getvalue(), stderr.getvalue()


class TemporaryFolderTest(unittest.TestCase):
    """Has an empty folder per test, with a place for a model and one for the output."""

    def setUp(self):
        self.make_folders()

    def make_folders(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.model_folder = os.path.join(temporary.name, "model")
        self.output_folder = os.path.join(temporary.name, "output")
        self.output = os.path.join(self.output_folder, "model.pt")
        os.mkdir(self.output_folder)

    def export(self, arguments, *flags):
        """Makes and exports a model; returns the stock model and the report."""
        stock = make_model(arguments, self.model_folder)
        exit_code, stdout, stderr = run_exporter(self.model_folder, "--output", self.output, *flags)
        self.assertEqual(exit_code, 0, stderr)
        self.assertEqual(os.listdir(self.output_folder), ["model.pt"])
        return stock, json.loads(stdout)

    def load(self):
        return torch.jit.load(self.output)

    def assert_refused(self, exit_code, reason, arguments):
        """Requires a failure in one line that leaves nothing behind."""
        before = os.listdir(self.output_folder)
        actual, stdout, stderr = run_exporter(*arguments)
        self.assertEqual(actual, exit_code, stderr)
        self.assertEqual(stdout, "")
        self.assertRegex(stderr, r"\Aerror: [^\n]*\n\Z")
        self.assertIn(reason, stderr)
        self.assertLessEqual(len(stderr), 301)
        self.assertEqual(os.listdir(self.output_folder), before)

    def assert_not_exported(self, exit_code, reason, *flags):
        arguments = (self.model_folder, "--output", self.output, *flags)
        self.assert_refused(exit_code, reason, arguments)


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

    def test_every_architecture(self):
        for name, arguments in MODELS.items():
            with self.subTest(name):
                self.make_folders()
                self.check_file(name, arguments)

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
        self.assertIn([1, 25], report["shapes"])  # Beyond the window of 16.
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
        self.assertEqual((done.returncode, done.stderr), (0, ""))
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


class LeakingAttention(attention.FusedCausalAttention):
    """Sees the future."""

    def forward(self, query, key, value):
        if self.groups > 1:
            key = key.repeat_interleave(self.groups, 1)
            value = value.repeat_interleave(self.groups, 1)
        output = F.scaled_dot_product_attention(query, key, value, scale=self.scale)
        return output.transpose(1, 2).contiguous()


class FrozenDropout(nn.Module):
    """Drops in evaluation too, as a traced nn.Dropout would."""

    def forward(self, value):
        return F.dropout(value, 0.1, True)


class VerificationTest(TemporaryFolderTest):
    """Wrong files that the exporter has to find by itself."""

    def assert_found(self, model, reason, target, name, wrong):
        make_model(model, self.model_folder)
        with mock.patch.object(target, name, wrong):
            self.assert_not_exported(4, reason)

    def test_attention_that_sees_the_future(self):
        self.assert_found(
            MODELS["qwen2"], "logits of ids", attention, "FusedCausalAttention", LeakingAttention
        )

    def test_future_is_found_without_the_stock_model(self):
        with mock.patch.multiple(
            verification,
            check_logits=mock.Mock(return_value={}),
            check_gradients=mock.Mock(return_value=0.0),
        ):
            self.assert_found(
                MODELS["qwen2"], "later ids", attention, "FusedCausalAttention", LeakingAttention
            )

    def test_window_that_is_one_too_long(self):
        correct = attention.ExplicitCausalAttention

        def longer(scale, dropout, groups, window, softcap):
            return correct(scale, dropout, groups, window + 1, softcap)

        self.assert_found(MISTRAL, "logits of ids", attention, "ExplicitCausalAttention", longer)

    def test_window_that_a_layer_does_not_ask_for(self):
        correct = attention.CausalAttention.__call__

        def without_window(self, *args, sliding_window=None, **kwargs):
            return correct(self, *args, **kwargs)

        self.assert_found(
            MISTRAL, "sliding_window", attention.CausalAttention, "__call__", without_window
        )

    def test_dropout_that_cannot_be_switched_off(self):
        correct = tracing.script_dropouts

        def freeze(model):
            model.transformer.drop = torch.jit.script(FrozenDropout())
            return correct(model)

        self.assert_found(GPT2, "logits of ids", tracing, "script_dropouts", freeze)

    def test_dropout_of_another_strength(self):
        correct = attention.FusedCausalAttention

        def stronger(scale, dropout, groups):
            return correct(scale, 0.2, groups)

        self.assert_found(LLAMA, "training mode", attention, "FusedCausalAttention", stronger)

    def test_weight_that_is_not_tied(self):
        correct = tracing.bind_forward

        def untie(model):
            model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
            correct(model)

        self.assert_found(GPT2, "tie", tracing, "bind_forward", untie)

    def test_frozen_length(self):
        def fixed_arguments(forward, input_ids):
            del forward
            positions = torch.arange(tracing.TRACE_SHAPE[1])[None]
            return {"input_ids": input_ids, "position_ids": positions, "use_cache": False}

        with mock.patch.object(tracing, "id_arguments", fixed_arguments):
            self.assert_found(LLAMA, "ids [1, 1]", splitting, "id_arguments", fixed_arguments)

    def forget_softcap(self, model, ids):
        """split_head with a head that is no more than the last layer."""
        hidden = splitting.split_head(model, ids)
        model.head = lambda hidden: model.lm_head(hidden)
        return hidden

    def test_head_without_the_softcap(self):
        self.assert_found(GEMMA2, "logits of ids", tracing, "split_head", self.forget_softcap)

    def assert_found_beside_a_correct_forward(self, model, reason, wrong_head):
        """Has forward traced by itself, so that the head alone is wrong."""

        def trace_three(model, ids, hidden):
            model.head = functools.partial(wrong_head, model)
            inputs = {"forward": ids, "hidden": ids, "head": hidden}
            return torch.jit.trace_module(model, inputs, check_trace=False)

        self.assert_found(model, reason, tracing, "trace_methods", trace_three)

    def test_head_without_the_softcap_beside_a_correct_forward(self):
        self.assert_found_beside_a_correct_forward(
            GEMMA2, "not those of forward", lambda model, hidden: model.lm_head(hidden)
        )

    def test_head_that_loses_a_gradient(self):
        self.assert_found_beside_a_correct_forward(
            LLAMA, "gives no gradient", lambda model, hidden: model.lm_head(hidden.detach())
        )
        self.assert_found_beside_a_correct_forward(
            LLAMA,
            "in chunks, gradient of model.embed_tokens.weight",
            lambda model, hidden: F.linear(hidden, model.lm_head.weight.detach()),
        )

    def test_head_that_takes_one_shape(self):
        self.assert_found_beside_a_correct_forward(
            LLAMA, "flattened rows", lambda model, hidden: model.lm_head(hidden[:, :, :])
        )


# -------------------------------------------------------------------------------------- training


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
        """Losses of a plain PyTorch loop, one a step."""
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
