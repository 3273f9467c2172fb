"""Hugging Face folders as they come: ties, names, dtypes and other files, read and written.

    python tests/integration/native_folder_test.py --binary build/release/pdl-train
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/support"))

from llama_folder import Folder, packed, unpacked
import program

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
WEIGHTS = "model.safetensors"


class NativeFolderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.job = pathlib.Path(temporary.name, "job")
        subprocess.run([program.binary(), "init", cls.job, "--preset", "tiny"], check=True, capture_output=True)
        result = program.run("count", "--tokenizer_path", "tokenizer.model", "--output", "table.json", "train.txt", folder=cls.job)
        assert result.returncode == 0, result.stderr
        cls.vocab_size = json.loads((cls.job / "table.json").read_text())["vocab_size"]
        cls.count = 0

    def train(self, files, *flags, steps=2, rate="0.01", threads=1, resumes=False):
        """Trains some steps; returns the files of the trained folder, and stderr. `resumes`: in the output of the last call."""
        NativeFolderTest.count += not resumes
        folder, output = self.job / f"folder{self.count}", self.job / f"out{self.count}"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        result = program.run(
            "--model_path", folder, "--tokenizer_path", "tokenizer.model", "--train_files", "train.txt", "--text_document", "paragraph",
            "--max_length", 32, "--max_steps", steps, "--learning_rate", rate, "--output_dir", output, "--num_threads", threads, *flags, folder=self.job,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr)
        model = output / "model"
        return {str(path.relative_to(model)): path.read_bytes() for path in model.rglob("*") if path.is_file()}, result.stderr

    def folder(self, **config):
        folder = Folder(self.vocab_size)
        folder.config |= config
        return folder

    def names_and_log(self, folder):
        files, log = self.train(folder.files())
        return unpacked(files[WEIGHTS])[1], log

    def test_equal_matrices_are_one_if_the_config_ties_them(self):
        for ties in (True, False):
            folder = self.folder(tie_word_embeddings=ties)
            folder.tensors[HEAD] = folder.tensors[EMBEDDING]
            tensors, log = self.names_and_log(folder)
            self.assertEqual(set(tensors), set(folder.tensors))
            self.assertEqual(tensors[HEAD] == tensors[EMBEDDING], ties)
            self.assertIn("tied to the embedding" if ties else "head of its own", log)

    def test_another_head_is_a_head_whatever_the_config_says(self):
        tensors, log = self.names_and_log(self.folder(tie_word_embeddings=True))
        self.assertNotEqual(tensors[HEAD], tensors[EMBEDDING])
        self.assertIn("another lm_head.weight", log)

    def test_one_matrix_is_both(self):
        for missing, left in ((HEAD, EMBEDDING), (EMBEDDING, HEAD)):
            folder = self.folder(tie_word_embeddings=True)
            del folder.tensors[missing]
            tensors, log = self.names_and_log(folder)
            self.assertEqual(set(tensors), set(folder.tensors))
            self.assertNotEqual(tensors[left], folder.tensors[left])
            self.assertEqual("alone" in log, missing == EMBEDDING)

    def test_names_may_lack_the_prefix_and_stay(self):
        folder = self.folder()
        folder.tensors = {name.removeprefix("model."): value for name, value in folder.tensors.items()}
        tensors, _ = self.names_and_log(folder)
        self.assertEqual(set(tensors), set(folder.tensors))

    def test_metadata_of_the_header_may_be_missing_and_are_written(self):
        folder = self.folder()
        files = folder.files()
        files[WEIGHTS] = packed(folder.tensors, lambda header: header.pop("__metadata__"))
        trained, _ = self.train(files)
        self.assertEqual(unpacked(trained[WEIGHTS])[0]["__metadata__"], {"format": "pt"})

    def bfloat16_folder(self):
        folder = self.folder()
        for name, (_, shape, content) in folder.tensors.items():
            values = struct.unpack(f"<{len(content) // 4}I", content)
            folder.tensors[name] = ("BF16", shape, struct.pack(f"<{len(values)}H", *(value >> 16 for value in values)))
        return folder

    def test_what_rounding_undoes_is_said(self):
        lost = "rounds %s of the weights that training changed to what they were"
        files = self.bfloat16_folder().files()
        _, log = self.train(files, "--weight_decay", 0, steps=1, rate="1e-8")
        self.assertRegex(log, lost % r"(99\.\d|100\.0) %")
        for flags in ((), ("--lora_rank", 2)):
            _, log = self.train(files, "--weight_decay", 0, *flags, steps=4, rate="0.0003")
            self.assertRegex(log, lost % r"[1-9]\d?\.\d %")
        for files, rate in ((files, "0"), (self.folder().files(), "1e-8")):
            self.assertNotIn("that training changed", self.train(files, rate=rate)[1])

    def test_an_original_that_is_cut_off_meanwhile_does_not_end_the_job(self):
        folder, output = self.job / "cut", self.job / "cut-out"
        folder.mkdir()
        for name, content in self.bfloat16_folder().files().items():
            (folder / name).write_bytes(content)
        process = subprocess.Popen(
            [program.binary(), "--model_path", folder, "--tokenizer_path", "tokenizer.model", "--train_files", "train.txt", "--text_document", "paragraph",
             "--max_length", "32", "--max_steps", "200", "--logging_steps", "1", "--output_dir", output, "--num_threads", "1"],
            cwd=self.job, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while process.poll() is None and not ((output / "metrics.jsonl").exists() and (output / "metrics.jsonl").read_bytes().count(b"\n") > 1):
            time.sleep(0.001)
        self.assertIsNone(process.poll())
        os.truncate(folder / WEIGHTS, 100)
        log = process.communicate()[1]
        self.assertEqual(process.returncode, 0, log)
        self.assertIn("how much is unknown", log)
        self.assertTrue((output / "model" / WEIGHTS).exists())

    def test_bfloat16_is_trained_as_float32(self):
        """A step that is lost in 16 bits adds up in the master, so the norms move after some."""
        folder = self.bfloat16_folder()
        trained, _ = self.train(folder.files(), "--lr_scheduler_type", "constant", "--weight_decay", 0, steps=12, rate="0.0005")
        tensors = unpacked(trained[WEIGHTS])[1]
        self.assertEqual({dtype for dtype, _, _ in tensors.values()}, {"BF16"})
        self.assertNotEqual(tensors["model.norm.weight"], folder.tensors["model.norm.weight"])

    def test_nothing_changes_at_rate_0(self):
        for shards in (1, 2):
            files = self.folder().files(shards)
            files |= {"generation_config.json": b'{ "temperature":0.5}\n', "tokenizer_config.json": b"\xef\xbb\xbf{}", "README.md": b"left out"}
            files["additional_chat_templates/tools.jinja"] = b"{{ tools }}"
            trained, _ = self.train(files, rate="0")
            weights = {}
            for name, content in files.items():
                if name.endswith(".safetensors"):
                    weights |= unpacked(content)[1]
            self.assertEqual(unpacked(trained.pop(WEIGHTS))[1], weights)
            others = {name: content for name, content in files.items() if name in trained}
            self.assertEqual(trained, others)
            self.assertEqual(set(trained), {"config.json", "generation_config.json", "tokenizer_config.json", "additional_chat_templates/tools.jinja"})

    def test_the_profile_is_by_operator_with_the_floor_of_products(self):
        _, log = self.train(self.folder().files(), "--profile", self.job / "profile", steps=3)
        profile = json.loads((self.job / f"out{self.count}" / "summary.json").read_text())["profile"]
        products = {"attention: products", "feed-forward: products", "head: products"}
        self.assertEqual({name for name, phase in profile.items() if "floor_seconds" in phase}, products)
        for name in products | {"attention", "activation", "norms and residuals", "loss", "embedding"}:
            self.assertIn(name, log)
            self.assertEqual(profile[name]["calls"] % 3, 0)

    def test_the_number_of_threads_changes_no_bit_even_where_a_run_is_resumed(self):
        for precision in ("fp32", "bf16", "fp32x3"):
            flags = ("--lr_scheduler_type", "constant", "--save_steps", 2, "--precision", precision)
            files = self.folder().files()
            whole, _ = self.train(files, *flags, steps=4)
            self.train(files, *flags, threads=3)
            resumed, log = self.train(files, *flags, steps=4, threads=2, resumes=True)
            self.assertIn("resuming after step 2", log)
            self.assertEqual(resumed, whole)


if __name__ == "__main__":
    program.main()
