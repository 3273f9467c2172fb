"""What jobs with Hugging Face folders hold in memory, and what `check` says of it.

    python tests/integration/memory_test.py --binary build/release/pdl-train
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))

from llama_folder import Folder
import program

LENGTH = 128
MEGABYTE = 1e6
WIDTH = 32768  # of feed-forward layers whose gradients take more than little
BATCH = "gradients and that batch"


def peak_of(arguments, folder):
    """Runs the program; returns the most bytes that were resident, and stderr."""
    with open(folder / "log.txt", "w+", encoding="utf-8") as log:
        process = subprocess.Popen([program.binary(), *map(str, arguments)], cwd=folder, stdout=subprocess.DEVNULL, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        text = log.read()
    assert process.returncode == 0, text
    return usage.ru_maxrss * 1024, text


class MemoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        subprocess.run([program.binary(), "init", cls.folder / "job", "--preset", "tiny"], check=True, capture_output=True)
        cls.folder /= "job"
        result = program.run("count", "--tokenizer_path", "tokenizer.model", "--output", "table.json", "train.txt", folder=cls.folder)
        assert result.returncode == 0, result.stderr
        model = Folder(json.loads((cls.folder / "table.json").read_text())["vocab_size"])
        model.config["max_position_embeddings"] = LENGTH
        (cls.folder / "model").mkdir()
        for name, content in model.files().items():
            (cls.folder / "model" / name).write_bytes(content)
        cls.count = 0

    def arguments(self, batch_size, *flags, steps=2, model="model"):
        MemoryTest.count += 1
        return ["--model_path", model, "--tokenizer_path", "tokenizer.model", "--train_files", "train.txt", "--max_length", LENGTH,
                "--max_steps", steps, "--per_device_train_batch_size", batch_size, "--output_dir", f"out{self.count}", "--num_threads", 2, *flags]  # fmt: skip

    def check(self, batch_size, *flags, model="model"):
        """Bytes: resident at the most, as the process was measured and as it says; its tensors by part."""
        peak, log = peak_of(["check", *self.arguments(batch_size, *flags, model=model)], self.folder)
        [resident] = re.findall(r"resident memory so far, with program and data: ([\d,]+) MB", log)
        [tensors] = re.findall(r"memory of tensors: (.*)", log)
        sizes = {part.strip(): float(size.replace(",", "")) * MEGABYTE for part, size in re.findall(r"([a-z ]+?) ([\d,]+) MB", "all " + tensors)}
        return peak, float(resident.replace(",", "")) * MEGABYTE, sizes

    def test_check_says_what_a_run_takes(self):
        for flags in ([], ["--gradient_checkpointing", "true"], ["--lora_rank", 4], ["--precision", "bf16"], ["--gradient_accumulation_steps", 2]):
            with self.subTest(flags=flags):
                peak, said, _ = self.check(64, *flags)
                self.assertLess(abs(said / peak - 1), 0.03)
                run, _ = peak_of(self.arguments(64, *flags), self.folder)
                self.assertLess(abs(said / run - 1), 0.05)

    def test_twice_the_tokens_take_twice_the_memory(self):
        batches = [self.check(size)[2][BATCH] for size in (64, 128, 256)]  # with gradients, which are the same
        self.assertLess(abs((batches[2] - batches[1]) / (batches[1] - batches[0]) / 2 - 1), 0.1, batches)

    def test_gradients_take_the_memory_of_activations(self):
        folder = Folder(json.loads((self.folder / "table.json").read_text())["vocab_size"])
        folder.config |= {"max_position_embeddings": LENGTH, "intermediate_size": WIDTH}
        for name, (dtype, shape, _) in folder.tensors.items():
            if ".mlp." in name:
                shape = [WIDTH if size == 20 else size for size in shape]
                folder.tensors[name] = (dtype, shape, bytes(4 * shape[0] * shape[1]))
        (self.folder / "wide").mkdir()
        for name, content in folder.files().items():
            (self.folder / "wide" / name).write_bytes(content)
        once, twice = (self.check(1, "--gradient_accumulation_steps", steps, model="wide")[2] for steps in (1, 2))
        # The second batch has all of them beside its activations, the first those of one layer of two.
        self.assertGreater(twice[BATCH] - once[BATCH], 0.35 * once["weights"], (once, twice))

    def test_steps_after_the_first_take_no_more_memory(self):
        peaks = [peak_of(self.arguments(64, steps=steps), self.folder)[0] for steps in (1, 12)]
        self.assertLess(peaks[1] / peaks[0], 1.02)


if __name__ == "__main__":
    program.main()
