#!/usr/bin/env python3
"""The example jobs on a CUDA device give the CPU's figures, and the same bits again, even after a resume."""

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


class CudaJob:
    """The tests of an example job. PRESET is that of `init`; MODEL is the model that a run leaves, of FILES."""

    PRESET = ""
    MODEL = ""
    FILES = ()

    @classmethod
    def setUpClass(cls):
        if "CUDA none" in run("--version"):
            raise unittest.SkipTest("there is no CUDA device, or this LibTorch has no CUDA")
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = pathlib.Path(temporary.name)
        run("init", cls.root / "job", "--preset", cls.PRESET)
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

    def test_float32_where_most_positions_have_no_target(self):
        data = self.root / "prompts.jsonl"
        text = (self.root / "job" / "train.txt").read_text(encoding="utf-8").split()
        pairs = [{"prompt": " ".join(text[i:i + 20]), "completion": " " + text[i + 20]} for i in range(0, 2000, 21)]
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
        folders = [self.train(f"prompts-{device}", "--device", device, "--train_files", data, "--eval_files", data)
                   for device in ("cpu", "cuda")]
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
                for name in (*self.FILES, f"checkpoint-{STEPS}/optimizer.safetensors"):
                    self.assertEqual((other / name).read_bytes(), (whole / name).read_bytes(), (other.name, name))

    def test_evaluation_alone(self):
        results = [json.loads(run("eval", "--config", self.root / "job" / "run.json", "--model_path", self.cpu / self.MODEL,
                                  "--device", device)) for device in ("cpu", "cuda")]
        for field in ("eval_loss", "eval_ce", "eval_accuracy"):
            self.assertAlmostEqual(results[0][field], results[1][field], delta=1e-5 * abs(results[0][field]), msg=field)

    def test_the_peak_of_memory_is_reported(self):
        peaks = [line["peak_memory_gb"] for line in lines(self.float32, "train")]
        self.assertEqual(len(peaks), STEPS)
        self.assertGreater(peaks[0], 0)
        self.assertEqual(peaks, sorted(peaks))


class CudaProgramTest(CudaJob, unittest.TestCase):
    """A TorchScript file."""

    PRESET = "tiny"
    MODEL = "model.pt"
    FILES = ("model.pt", "model.safetensors")

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


class CudaFolderTest(CudaJob, unittest.TestCase):
    """A Hugging Face folder."""

    PRESET = "native"
    MODEL = "model"
    FILES = ("model/model.safetensors",)

    def test_documents_kept_apart_and_run_together(self):
        for isolates in ("true", "false"):
            flags = ("--isolate_documents", isolates)
            folders = [self.train(f"documents-{isolates}-{device}", "--device", device, *flags) for device in ("cpu", "cuda")]
            self.compare(*folders, "fp32")

    def test_gradient_checkpointing_changes_nothing(self):
        for precision in ("fp32", "bf16"):
            flags = ("--device", "cuda", "--precision", precision)
            folders = [self.train(f"checkpointing-{value}-{precision}", *flags, "--gradient_checkpointing", value)
                       for value in ("true", "false")]
            for expected, found in zip(*(lines(folder, "train") for folder in folders), strict=True):
                self.assertLess(abs(found["loss"] - expected["loss"]), 1e-6 * expected["loss"])

    def test_lora(self):
        flags = ("--lora_rank", 4, "--lora_target_modules", "all-linear", "--save_total_limit", 0)
        cpu = self.train("lora-cpu", "--device", "cpu", *flags)
        cuda = self.train("lora", "--device", "cuda", *flags)
        self.compare(cpu, cuda, "fp32")
        self.assertTrue((cuda / "adapter" / "adapter_model.safetensors").is_file())
        resumed = self.resumed(cuda, "lora-resumed", "--device", "cuda", *flags)
        self.assertEqual(metrics(resumed), metrics(cuda))

    def test_split_products_are_refused(self):
        arguments = ["--config", self.root / "job" / "run.json", "--device", "cuda", "--precision", "fp32x3", "--output_dir", self.root / "x3"]
        result = subprocess.run([program.binary(), *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("precision", result.stderr)
        self.assertFalse((self.root / "x3").exists())


if __name__ == "__main__":
    program.main()
