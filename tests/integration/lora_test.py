"""LoRA against PEFT: the start, ten steps, the files, merging."""

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

import numpy  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers  # noqa: E402
from native_families import VOCAB, make_model  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

try:
    import peft
except ImportError:
    peft = None

LENGTH = 16
STEPS = 10
RATE = 0.01
ALL = {
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "gpt_neox": ["query_key_value", "lm_head"],
    "phi3": ["qkv_proj", "gate_up_proj"],
    "gemma3_text": ["all-linear"],
    "llama_biases": [],  # the default
}
DEFAULT = ["q_proj", "k_proj", "v_proj", "o_proj"]


def ce(model, ids):
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].reshape(-1, VOCAB).double()
    return F.cross_entropy(logits, ids[:, 1:].reshape(-1))


@unittest.skipIf(peft is None, "peft is not installed")
class LoraTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def make(self, name, dtype=torch.float32):
        make_model(name).to(dtype).save_pretrained(self.folder / "base")
        ids = numpy.random.default_rng(1).integers(0, VOCAB, 4 * LENGTH, dtype=numpy.int32)
        numpy.save(self.folder / "data.npy", ids)
        return torch.tensor(ids.reshape(4, LENGTH).astype(numpy.int64))

    def train(self, output, **keys):
        config = {
            "model_path": "base", "train_files": ["data.npy"], "eval_files": ["data.npy"],
            "output_dir": output, "max_length": LENGTH, "per_device_train_batch_size": 4,
            "max_steps": STEPS, "learning_rate": RATE, "lr_scheduler_type": "constant",
            "max_grad_norm": 0, "pdl_alpha": 0, "shuffle": False, "logging_steps": 1,
            "tensorboard": False, "lora_rank": 3, "lora_alpha": 12, **keys,
        }
        (self.folder / "run.json").write_text(json.dumps(config))
        result = program.run("--config", "run.json", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = (self.folder / output / "metrics.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        losses = [event["loss"] for event in events if event["event"] == "train"]
        eval_ce = [event["eval_ce"] for event in events if event["event"] == "eval"]
        return losses, eval_ce[-1]

    def base(self):
        return transformers.AutoModelForCausalLM.from_pretrained(
            self.folder / "base", dtype=torch.float32, attn_implementation="eager").eval()

    def with_adapter(self, output, trains=False):
        return peft.PeftModel.from_pretrained(self.base(), self.folder / output / "adapter",
                                              is_trainable=trains).eval()

    def test_is_what_peft_computes(self):
        for name, targets in ALL.items():
            with self.subTest(name):
                shutil.rmtree(self.folder)
                self.folder.mkdir()
                ids = self.make(name)
                keys = {"lora_target_modules": targets} if targets else {}
                losses, _ = self.train("start", learning_rate=0, max_steps=1, **keys)
                with torch.no_grad():
                    self.assertLess(abs(losses[0] - ce(self.base(), ids).item()), 1e-6 * losses[0])
                model = self.with_adapter("start", trains=True)
                trained = [p for p in model.parameters() if p.requires_grad]
                optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0)
                want = []
                for _ in range(STEPS):
                    loss = ce(model, ids)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    want.append(loss.item())
                losses, eval_ce = self.train("run", **keys)
                for step, (loss, expected) in enumerate(zip(losses, want, strict=True)):
                    self.assertLess(abs(loss - expected), 1e-5 * expected, (step, losses, want))
                with torch.no_grad():
                    adapted = ce(self.with_adapter("run"), ids).item()
                    merged_model = transformers.AutoModelForCausalLM.from_pretrained(
                        self.folder / "run" / "model", dtype=torch.float32)
                    merged = ce(merged_model.eval(), ids).item()
                self.assertLess(abs(adapted - eval_ce), 1e-6 * eval_ce)
                self.assertLess(abs(merged - eval_ce), 1e-5 * eval_ce)

    # What is not adapted is bfloat16, biases included, and computes with rounded factors.
    def test_bfloat16_is_near_and_learns(self):
        for name, targets in ALL.items():
            for keys in ({}, {"lora_target_modules": targets} if targets else {}):
                with self.subTest(name, keys=keys):
                    shutil.rmtree(self.folder)
                    self.folder.mkdir()
                    ids = self.make(name)
                    losses, _ = self.train("run", precision="bf16", **keys)
                    with torch.no_grad():
                        want = ce(self.base(), ids).item()
                    self.assertLess(abs(losses[0] - want), 0.01 * want)
                    self.assertLess(losses[-1], losses[0])

    def test_a_start_is_uniform_and_of_the_seed_alone(self):
        self.make("llama")
        for output, keys in (("a", {}), ("b", {"per_device_train_batch_size": 2}),
                             ("c", {"seed": 7})):
            self.train(output, learning_rate=0, max_steps=1, **keys)
        tensors = {output: load_file(self.folder / output / "adapter/adapter_model.safetensors")
                   for output in "abc"}
        for name, tensor in tensors["a"].items():
            self.assertTrue(torch.equal(tensor, tensors["b"][name]), name)
            if ".lora_B." in name:
                self.assertFalse(tensor.any(), name)
                continue
            self.assertFalse(torch.equal(tensor, tensors["c"][name]), name)
            bound = tensor.shape[1] ** -0.5
            self.assertLessEqual(tensor.abs().max().item(), bound)
            self.assertGreater(tensor.abs().max().item(), 0.8 * bound)

    def test_an_adapter_of_peft_is_a_start(self):
        ids = self.make("llama")
        torch.manual_seed(1)
        config = peft.LoraConfig(r=5, lora_alpha=7, target_modules=["v_proj", "down_proj"],
                                 task_type="CAUSAL_LM", init_lora_weights=False, use_rslora=True)
        model = peft.get_peft_model(self.base(), config).eval()
        model.save_pretrained(self.folder / "start")
        with torch.no_grad():
            want = ce(model, ids).item()
        losses, _ = self.train("run", adapter_path="start", lora_rank=0, lora_alpha=16)
        self.assertLess(abs(losses[0] - want), 1e-6 * want)
        self.assertLess(losses[-1], losses[0])

    def test_merge_gives_the_bytes_of_the_run(self):
        for dtype in (torch.float32, torch.bfloat16):
            for precision in ("fp32", "bf16"):
                with self.subTest(dtype=dtype, precision=precision):
                    shutil.rmtree(self.folder)
                    self.folder.mkdir()
                    self.make("llama", dtype)
                    self.train("run", precision=precision)
                    result = program.run("merge", "run/adapter", "--model_path", "base",
                                         "--output", "merged", folder=self.folder)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    for path in (self.folder / "merged").iterdir():
                        of_run = self.folder / "run/model" / path.name
                        self.assertEqual(path.read_bytes(), of_run.read_bytes(), path.name)

    def made(self, name):
        self.make(name)
        return "base"

    def merge(self, output):
        return program.run("merge", "run/adapter", "--model_path", "base", "--output", output, folder=self.folder)

    def test_a_failed_merge_leaves_nothing(self):
        self.make("llama")
        self.train("run")
        (self.folder / "there").mkdir()
        before = sorted(self.folder.iterdir())
        command = [program.binary(), "merge", "run/adapter", "--model_path", "base", "--output"]
        for output in ("merged", "there", "there/new"):
            result = subprocess.run(["bash", "-c", 'ulimit -f 4; exec "$0" "$@"', *command, output], cwd=self.folder,
                                    capture_output=True, encoding="utf-8", check=False)
            self.assertEqual(result.returncode, 6, result.stderr)
            self.assertEqual(sorted(self.folder.iterdir()), before, output)
            self.assertEqual(list((self.folder / "there").iterdir()), [], output)

    def test_outputs_of_any_spelling(self):
        self.make("llama")
        self.train("run")
        for output in ("new/", "other/.", "a/../b", "./c"):
            self.assertEqual(self.merge(output).returncode, 0, output)
            folder = os.path.normpath(self.folder / output)
            self.assertTrue(os.path.exists(os.path.join(folder, "model.safetensors")), output)
        result = self.merge("base")
        self.assertIn("is there and not empty", result.stderr)
        (self.folder / "empty").mkdir()
        result = program.run("merge", "../run/adapter", "--model_path", "../base", "--output", ".",
                             folder=self.folder / "empty")
        self.assertEqual(result.returncode, 2)
        self.assertIn("is the working directory", result.stderr)

    def test_exports_with_an_adapter_that_has_moved(self):
        self.make("llama")
        self.train("start")
        shutil.move(self.folder / "start/adapter", self.folder / "first")
        self.train("run", adapter_path="first", lora_rank=0, lora_alpha=16, save_steps=5)
        (self.folder / "first").rename(self.folder / "moved")
        export = ("export", "run/checkpoint-10", "--output", "exported")
        result = program.run(*export, folder=self.folder)
        self.assertEqual(result.returncode, 4, result.stderr)
        result = program.run(*export, "--adapter_path", "moved", folder=self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.folder / "exported/model.safetensors").read_bytes(),
                         (self.folder / "run/model/model.safetensors").read_bytes())

    def test_resumes(self):
        self.make("llama")
        keys = {"lora_dropout": 0.2, "save_steps": 4}
        self.train("whole", **keys)
        self.train("rest", **keys, max_steps=4)
        self.train("rest", **keys)
        for name in ("adapter/adapter_model.safetensors", "model/model.safetensors"):
            self.assertEqual((self.folder / "whole" / name).read_bytes(),
                             (self.folder / "rest" / name).read_bytes())
        checkpoint = load_file(self.folder / "whole/checkpoint-10/model.safetensors")
        self.assertTrue(all(".lora_" in name for name in checkpoint))

    def refused(self, code, text, **keys):
        config = {"model_path": "base", "train_files": ["data.npy"], "output_dir": "none",
                  "max_length": LENGTH, "max_steps": 1, **keys}
        (self.folder / "run.json").write_text(json.dumps(config))
        result = program.run("--config", "run.json", folder=self.folder)
        self.assertEqual(result.returncode, code, result.stderr)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.stderr)
        self.assertIn(text, errors[0])
        self.assertFalse((self.folder / "none").exists())

    def test_adapters_do_not_count_twice(self):
        self.make("llama")
        self.train("first")
        shutil.copytree(self.folder / "first/adapter", self.folder / "start")
        _, trained = self.train("run", adapter_path="start", lora_rank=0, lora_alpha=16)
        evaluate = ("eval", "--config", "run.json")
        merged = program.run(*evaluate, "--model_path", "run/model", folder=self.folder)
        self.assertEqual(merged.returncode, 2, merged.stderr)
        self.assertIn("has the adapters of its run already", merged.stderr)
        for flags in (("--adapter_path", "run/adapter"), ("--model_path", "run/model", "--adapter_path", "")):
            result = program.run(*evaluate, *flags, folder=self.folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertLess(abs(json.loads(result.stdout)["eval_ce"] - trained), 1e-5 * trained, flags)

    def test_what_is_no_model_is_named(self):
        self.make("llama")
        self.train("run", save_steps=5)
        for path, text in (("run/adapter", "is an adapter"), ("run/checkpoint-5", "is a checkpoint"), ("run", "holds a run"),
                           ("run/model/model.safetensors", "give its folder"), ("nothing", "does not exist")):
            self.refused(4, text, model_path=path)
            result = program.run("merge", "run/adapter", "--model_path", path, "--output", "out", folder=self.folder)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn(text, result.stderr)

    def test_refusals(self):
        self.refused(2, "lora_alpha: needs lora_rank", model_path=self.made("llama"), lora_alpha=3)
        self.make("llama_biases")  # its head is tied
        self.refused(2, '"lm_head" is tied', lora_rank=2, lora_target_modules=["lm_head"])
        self.refused(2, '"embed_tokens" is the embedding', lora_rank=2,
                     lora_target_modules=["embed_tokens"])
        self.refused(2, '"query" is no matrix', lora_rank=2, lora_target_modules="query")
        self.refused(4, "adapter_config.json", adapter_path="base")
        self.train("run")
        self.refused(2, "lora_rank", adapter_path="run/adapter", lora_rank=4)
        config = self.folder / "run/adapter/adapter_config.json"
        good = json.loads(config.read_text())
        for key, value in (("use_dora", True), ("bias", "all"), ("peft_type", "IA3"), ("r", 4),
                           ("rank_pattern", {"q_proj": 2}), ("modules_to_save", ["lm_head"]), ("init_lora_weights", "pissa"),
                           ("init_lora_weights", "olora")):
            config.write_text(json.dumps({**good, key: value}))
            self.refused(4, "adapter_model" if key == "r" else key, adapter_path="run/adapter")


if __name__ == "__main__":
    program.main()
