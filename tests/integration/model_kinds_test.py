"""Models of many kinds in pdl-train: those that it trains, and those that it refuses before the first step.

    python tests/integration/model_kinds_test.py --binary build/release/pdl-train

They are small programs of PyTorch, scripted or traced; the unit tests of the probe have more wrong ones.
"""

import json
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))

import numpy as np
import program
from safetensors.torch import load_file
import torch
from torch import nn
import torch.nn.functional as F

VOCABULARY, WIDTH, LENGTH = 48, 16, 12


class Base(nn.Module):
    """Each position sees the mean of those up to it."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, VOCABULARY)

    def features(self, ids):
        x = self.embedding(ids)
        count = torch.arange(1, ids.size(1) + 1, device=ids.device).view(1, -1, 1).to(x.dtype)
        return F.gelu(self.mix(x.cumsum(1) / count)) + x

    def forward(self, ids):
        return self.out(self.features(ids))


class BatchNorm(Base):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, ids):
        return self.out(self.norm(self.features(ids).transpose(1, 2)).transpose(1, 2))


class InPlaceBuffer(Base):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(VOCABULARY))

    def forward(self, ids):
        if self.training:
            self.seen.index_add_(0, ids.flatten(), torch.ones(ids.numel(), device=ids.device))
        return self.out(self.features(ids)) + self.seen * 1e-3


class Assigned(Base):
    """A moving average, a plain tensor and a number, all assigned anew."""

    def __init__(self):
        super().__init__()
        self.register_buffer("average", torch.zeros(WIDTH))
        self.plain = torch.zeros(1)
        self.calls = 0

    def forward(self, ids):
        x = self.features(ids)
        if self.training:
            self.average = self.average * 0.9 + x.detach().mean((0, 1)) * 0.1
            self.plain = self.plain + 1
            self.calls += 1
        return self.out(x - self.average) * (1 + self.calls * 0.001) + self.plain * 0.001 * self.embedding.weight[:, 0]


class MaskedLogits(Base):
    def forward(self, ids):
        unused = torch.arange(self.out.out_features, device=ids.device) >= self.out.out_features - 4
        return self.features(ids) @ self.embedding.weight.t() + torch.where(unused, float("-inf"), 0.0)


class Views(Base):
    """Parameters that are views of larger memory, transposed, and tied."""

    def __init__(self):
        super().__init__()
        self.mix.weight = nn.Parameter(torch.randn(3 * WIDTH, 2 * WIDTH)[5 : 5 + WIDTH, 3 : 3 + WIDTH] * 0.1)
        self.out.weight = nn.Parameter((torch.randn(WIDTH, VOCABULARY) * 0.1).t())
        self.embedding.weight = self.out.weight


class Attention(Base):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, dropout=0.1, batch_first=True)

    def forward(self, ids):
        mask = torch.full((ids.size(1), ids.size(1)), float("-inf"), device=ids.device).triu(1)
        return self.out(self.layer(self.embedding(ids), src_mask=mask))


class PositionsFirst(Base):
    """An attention that takes the first dimension for positions, given the batch first."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, dropout=0.0)

    def forward(self, ids):
        return self.out(self.layer(self.embedding(ids)))


class ModelKindsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        ids = np.random.default_rng(0).integers(VOCABULARY - 4, size=300).astype(np.int32)
        np.save(cls.folder / "ids.npy", ids)

    def train(self, name, model, *flags, steps=6, resumed_from=0):
        torch.manual_seed(0)
        path = self.folder / f"{name}.pt"
        if not path.exists():
            program_of = model() if isinstance(model, type) else model
            torch.jit.save(program_of if isinstance(program_of, torch.jit.ScriptModule) else torch.jit.script(program_of), str(path))
        output = self.folder / (name + ("-resumed" if resumed_from else ""))
        result = None
        for last in (resumed_from, steps) if resumed_from else (steps,):
            result = program.run(
                "--model_path", path, "--train_files", "ids.npy", "--eval_files", "ids.npy", "--max_length", LENGTH,
                "--per_device_train_batch_size", 4, "--gradient_accumulation_steps", 2, "--logging_steps", 1, "--tensorboard", "false",
                "--learning_rate", 0.02, "--lr_scheduler_type", "constant", "--num_threads", 1, "--device", "cpu",
                "--max_steps", last, "--output_dir", output, *flags, folder=self.folder,
            )  # fmt: skip
        return result, output

    def losses(self, output):
        lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        return [line["loss"] for line in lines if line["event"] == "train"]

    def test_what_is_right_is_trained_and_resumed(self):
        for model in (Base, BatchNorm, InPlaceBuffer, Assigned, MaskedLogits, Views, Attention):
            with self.subTest(model.__name__):
                result, whole = self.train(model.__name__, model)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertNotIn("warning", result.stderr)
                losses = self.losses(whole)
                self.assertEqual(len(losses), 6)
                self.assertLess(losses[-1], losses[0])
                result, resumed = self.train(model.__name__, model, resumed_from=3)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(self.losses(resumed), losses)
                tensors, others = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
                self.assertEqual(tensors.keys(), others.keys())
                for name, tensor in tensors.items():
                    self.assertTrue(torch.equal(tensor, others[name]), name)
                loaded = torch.jit.load(str(whole / "model.pt"))
                for name, buffer in loaded.named_buffers():
                    self.assertTrue(torch.equal(buffer, tensors[name]), name)

    def test_a_trace_of_any_shape_is_trained(self):
        traced = torch.jit.trace(Base().eval(), torch.randint(0, VOCABULARY, (2, 7)), check_trace=False)
        result, _ = self.train("traced", traced)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_what_is_wrong_is_refused_and_leaves_nothing(self):
        dropout = Base()
        dropout.forward = lambda ids: dropout.out(F.dropout(dropout.features(ids), 0.1, dropout.training))
        example = torch.randint(0, VOCABULARY, (2, LENGTH))
        for name, model, reason in (
            ("positions", PositionsFirst, "mixes sequences"),
            ("dropout", torch.jit.trace(dropout.train(), example, check_trace=False), "called again in evaluation mode"),
        ):
            with self.subTest(name):
                result, output = self.train(name, model)
                self.assertEqual(result.returncode, 4, result.stderr)
                self.assertEqual(result.stderr.count("error: "), 1)
                self.assertIn(reason, result.stderr)
                self.assertFalse(output.exists())


if __name__ == "__main__":
    program.main()
