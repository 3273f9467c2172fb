#!/usr/bin/env python3
"""Optimisers, precisions, chunks of logits and the profile, seen from outside the program."""

import json
import pathlib
import sys
import tempfile
import unittest

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402


def run(*arguments, check=True):
    process = program.run(*arguments)
    assert not check or process.returncode == 0, process.stderr
    return process


def lines(folder, event):
    parsed = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in parsed if line["event"] == event]


def tensors(path):
    """A safetensors file, float32 alone: its header names the rest."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: torch.frombuffer(bytearray(data[8 + length:]), dtype=torch.float32,
                                   count=(entry["data_offsets"][1] - entry["data_offsets"][0]) // 4,
                                   offset=entry["data_offsets"][0]).reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__" and entry["dtype"] == "F32"}


class TrainingStepTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.temporary.name)
        run("init", cls.root / "job", "--preset", "tiny")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def train(self, name, *flags, check=True):
        self.folder = self.root / name
        return run("--config", self.root / "job" / "run.json", "--output_dir", self.folder, *flags, check=check)

    def check_optimizer(self, name, make_optimizer, moment, *flags):
        """PyTorch's optimiser with the gradients of the run, which its first moment holds as it is,
        makes the same parameters and moments, bit for bit."""
        self.train(name, "--max_steps", 4, "--save_steps", 1, "--save_total_limit", 0, "--max_grad_norm", 0,
                   "--lr_scheduler_type", "constant", "--warmup_steps", 0, "--learning_rate", 0.003, *flags)
        model = torch.jit.load(self.root / "job" / "model.pt")
        parameters = {name: parameter for name, parameter in model.named_parameters()}
        optimizer = make_optimizer([parameter for parameter in parameters.values() if parameter.dim() >= 2],
                                   [parameter for parameter in parameters.values() if parameter.dim() < 2])
        for step in range(1, 5):
            checkpoint = self.folder / f"checkpoint-{step}"
            state = tensors(checkpoint / "optimizer.safetensors")
            for name, parameter in parameters.items():
                parameter.grad = state[f"{name}.{moment}"].clone()
            optimizer.step()
            expected = tensors(checkpoint / "model.safetensors")
            for name, parameter in parameters.items():
                self.assertTrue(torch.equal(parameter.detach(), expected[name]), (step, name))
                for kind, value in optimizer.state[parameter].items():
                    if f"{name}.{kind}" in state:
                        self.assertTrue(torch.equal(value.reshape(-1), state[f"{name}.{kind}"].reshape(-1)), kind)

    def test_adamw_is_that_of_pytorch(self):
        self.check_optimizer(
            "adamw", lambda matrices, vectors: torch.optim.AdamW(
                [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0}],
                lr=0.003, betas=(0.0, 0.99), eps=1e-7, fused=True), "exp_avg",
            "--adam_beta1", 0, "--adam_beta2", 0.99, "--adam_epsilon", 1e-7, "--weight_decay", 0.1)

    def test_sgd_is_that_of_pytorch(self):
        self.check_optimizer(
            "sgd", lambda matrices, vectors: torch.optim.SGD([*matrices, *vectors], lr=0.003, momentum=1e-45, fused=True),
            # a momentum so small that nothing of it stays beside a gradient
            "momentum_buffer", "--optim", "sgd", "--momentum", 1e-45)

    def test_sgd_without_momentum(self):
        self.train("plain-sgd", "--optim", "sgd", "--momentum", 0, "--max_steps", 2)
        self.assertEqual(lines(self.folder, "end")[0]["status"], "finished")

    def test_chunks_of_logits_change_rounding_alone(self):
        flags = ("--max_steps", 20, "--logging_steps", 1)
        self.train("whole", *flags)
        whole = lines(self.folder, "train")
        for rows in (7, 100, 1_000_000):
            self.train(f"chunks-{rows}", *flags, "--logits_chunk_rows", rows)
            for ours, expected in zip(lines(self.folder, "train"), whole, strict=True):
                for key, tolerance in (("loss", 1e-5), ("ce", 1e-5), ("grad_norm", 1e-4)):
                    self.assertAlmostEqual(ours[key] / expected[key], 1, delta=tolerance)

    def test_bf16_stays_within_a_percent_of_fp32(self):
        curves = {}
        for precision in ("fp32", "bf16"):
            for rows in (0, 64):
                self.train(f"{precision}-{rows}", "--max_steps", 200, "--logging_steps", 10, "--precision", precision,
                           "--logits_chunk_rows", rows)
                curves[precision, rows] = [line["ce"] for line in lines(self.folder, "train")]
        for rows in (0, 64):
            worst = max(abs(low / full - 1) for low, full in
                        zip(curves["bf16", rows], curves["fp32", rows], strict=True))
            self.assertLess(worst, 0.01)
            self.assertGreater(worst, 1e-5)  # the precision differs

    def test_a_bfloat16_file_is_trained_and_written_as_one(self):
        model = torch.jit.load(self.root / "job" / "model.pt").to(torch.bfloat16)
        path = self.root / "bfloat16.pt"
        torch.jit.save(model, path)
        self.train("bfloat16", "--model_path", path, "--precision", "bf16", "--max_steps", 5, "--learning_rate", 1e-5)
        saved = torch.jit.load(self.folder / "model.pt")
        masters = tensors(self.folder / "checkpoint-5" / "model.safetensors")
        before = dict(model.named_parameters())
        for name, parameter in saved.named_parameters():
            self.assertEqual(parameter.dtype, torch.bfloat16)
            self.assertTrue(torch.equal(parameter.detach(), masters[name].to(torch.bfloat16)), name)
            # updates that bfloat16 alone would have lost
            self.assertFalse(torch.equal(masters[name], before[name].float()), name)

    def test_the_profile_accounts_for_the_run(self):
        result = self.train("profiled", "--max_steps", 5, "--profile", self.root / "profile")
        trace = json.loads((self.root / "profile" / "trace.json").read_text())
        names = [event["name"] for event in trace["traceEvents"]]
        for phase in ("loading", "batches", "forward", "loss", "backward", "gradient norm", "optimizer"):
            self.assertIn(phase, names)
            self.assertIn(phase, result.stderr)
        summary = json.loads((self.folder / "summary.json").read_text())
        self.assertEqual(summary["profile"]["forward"]["calls"], 5)
        total = sum(phase["seconds"] for phase in summary["profile"].values())
        self.assertLessEqual(total, summary["wall_seconds"] * 1.01)
        self.assertGreater(total, summary["wall_seconds"] * 0.8)
        self.train("plain", "--max_steps", 5)
        self.assertNotIn("profile", json.loads((self.folder / "summary.json").read_text()))

    def test_what_cannot_be_honoured_is_refused(self):
        for flags, code, what in [
            (("--precision", "fp16", "--device", "cpu"), 2, "fp16"),
            (("--logits_chunk_rows", 64, "--model_path", self.headless()), 2, "logits_chunk_rows"),
        ]:
            result = self.train("refused", *flags, check=False)
            self.assertEqual(result.returncode, code)
            self.assertIn(what, result.stderr)
            self.assertFalse(self.folder.exists())

    def headless(self):
        """The example's model with forward alone."""

        class Forward(torch.nn.Module):
            def __init__(self, model):
                super().__init__()
                self.model = model

            def forward(self, input_ids):
                return self.model(input_ids)

        path = self.root / "headless.pt"
        torch.jit.script(Forward(torch.jit.load(self.root / "job" / "model.pt"))).save(path)
        return path


if __name__ == "__main__":
    program.main()
