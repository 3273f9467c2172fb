#!/usr/bin/env python3
"""The example job on a CUDA device gives the CPU's figures, and the same bits again, even after a resume."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
from run_folder import cut_back, lines, metrics  # noqa: E402

STEPS = 24
# Relative differences of the loss in any step. float32 differs by the order of sums, which 24 updates amplify; bfloat16
# has 8 bits, half precision 11.
TOLERANCE = {"fp32": 1e-4, "fp16": 5e-3, "bf16": 2e-2}


def run(*arguments):
    result = subprocess.run([program.binary(), *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{arguments} exited with {result.returncode}:\n{result.stderr}")
    return result.stdout


class CudaJobTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if "CUDA none" in run("--version"):
            raise unittest.SkipTest("there is no CUDA device, or this LibTorch has no CUDA")
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = pathlib.Path(temporary.name)
        run("init", cls.root / "job", "--preset", "tiny")
        cls.cpu = cls.train("cpu", "--device", "cpu")
        cls.float32 = cls.train("float32", "--device", "cuda")

    @classmethod
    def train(cls, name, *flags):
        folder = cls.root / name
        run("--config", cls.root / "job" / "run.json", "--max_steps", STEPS, "--logging_steps", 1, "--eval_steps", 8,
            "--save_steps", 6, "--gradient_accumulation_steps", 3, "--output_dir", folder, *flags)
        return folder

    def resumed(self, whole, name, *flags):
        """Goes on from step 12 of the run `whole`."""
        folder = self.root / name
        shutil.copytree(whole, folder)
        cut_back(folder, 12)
        return self.train(name, *flags)

    def compare(self, cpu, cuda, precision):
        tolerance = TOLERANCE[precision]
        for event, fields in (("train", ("loss", "ce", "weight_sum", "grad_norm")), ("eval", ("eval_loss", "eval_ce"))):
            pairs = list(zip(lines(cpu, event), lines(cuda, event), strict=True))
            self.assertTrue(pairs)
            for expected, found in pairs:
                for field in fields:
                    # A norm adds up squares of all sizes: its error is larger than that of the loss.
                    allowed = 10 * tolerance if field == "grad_norm" else tolerance
                    self.assertLess(abs(found[field] - expected[field]), allowed * abs(expected[field]),
                                    (field, expected["step"], found[field], expected[field]))

    def test_float32_as_on_the_cpu(self):
        self.compare(self.cpu, self.float32, "fp32")

    def test_float32_from_whole_logits(self):
        self.compare(self.cpu, self.train("whole-logits", "--device", "cuda", "--logits_chunk_rows", 1_000_000), "fp32")

    def test_float32_of_padded_rows(self):
        folders = [self.train(f"padded-{device}", "--device", device, "--packing", "false") for device in ("cpu", "cuda")]
        self.compare(*folders, "fp32")

    def test_16_bits(self):
        for precision in ("bf16", "fp16"):
            folder = self.train(precision, "--device", "cuda", "--precision", precision)
            self.compare(self.cpu, folder, precision)
            self.assertNotEqual(lines(folder, "train")[0]["loss"], lines(self.float32, "train")[0]["loss"], precision)

    def test_the_same_bits_again_and_after_a_resume(self):
        for precision in ("fp32", "bf16", "fp16"):
            flags = ("--device", "cuda", "--precision", precision, "--save_total_limit", 0)
            whole = self.train(f"whole-{precision}", *flags)
            again = self.train(f"again-{precision}", *flags)
            resumed = self.resumed(whole, f"resumed-{precision}", *flags)
            self.assertEqual([line["step"] for line in lines(resumed, "resume")], [12])
            for other in (again, resumed):
                self.assertEqual(metrics(other), metrics(whole), other.name)
                for name in ("model.pt", "model.safetensors", f"checkpoint-{STEPS}/optimizer.safetensors"):
                    self.assertEqual((other / name).read_bytes(), (whole / name).read_bytes(), (other.name, name))

    def test_evaluation_alone(self):
        results = [json.loads(run("eval", "--config", self.root / "job" / "run.json", "--model_path", self.cpu / "model.pt",
                                  "--device", device)) for device in ("cpu", "cuda")]
        for field in ("eval_loss", "eval_ce", "eval_accuracy"):
            self.assertAlmostEqual(results[0][field], results[1][field], delta=1e-5 * abs(results[0][field]), msg=field)

    def test_out_of_memory_is_said_with_its_exit_code(self):
        # Bytes of the device. On one of 80 GB the first refused 2 MiB, the second 32 MiB.
        for share in ("0.000001", "0.0002"):
            arguments = ["--config", self.root / "job" / "run.json", "--device", "cuda", "--output_dir", self.root / share,
                         "--per_device_train_batch_size", "512"]
            environment = dict(os.environ, PYTORCH_ALLOC_CONF=f"per_process_memory_fraction:{share}")
            result = subprocess.run([program.binary(), *map(str, arguments)], capture_output=True, text=True, env=environment)
            self.assertEqual(result.returncode, 10, result.stderr)
            errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
            self.assertEqual(len(errors), 1, result.stderr)
            self.assertIn("CUDA out of memory. Tried to allocate", errors[0])

    def test_the_peak_of_memory_is_reported(self):
        peaks = [line["peak_memory_gb"] for line in lines(self.float32, "train")]
        self.assertEqual(len(peaks), STEPS)
        self.assertGreater(peaks[0], 0)
        self.assertEqual(peaks, sorted(peaks))


if __name__ == "__main__":
    program.main()
