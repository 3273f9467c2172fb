"""The Hugging Face folder that a run of an exported model writes, and what the exporter says beside its report.

    python tests/integration/export_folder_test.py --binary build/release/pdl-train

All models are small, random, and made here.
"""

import json
import os
import pathlib
import sys
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, folder) for folder in ("scripts", "tests/support")]

from exporter import TemporaryFolderTest, run_exporter
from hf_export import folder, progress
import numpy as np
import program
from safetensors.torch import load_file, save_file
from small_models import GPT2, LLAMA, LLAMA_LIKE, VOCAB_SIZE, make_model
import torch
from torch.nn import functional as F
import transformers

LENGTH = 32
GEMMA3 = {"model_type": "gemma3_text", "head_dim": 16, "sliding_window": 16, **LLAMA_LIKE}
NEOX = {"model_type": "gpt_neox", **{k: v for k, v in LLAMA_LIKE.items() if k != "num_key_value_heads"}}
WEIGHTS = "model.safetensors"


class ModelFolderTest(TemporaryFolderTest):
    """`output_dir/model` of TorchScript jobs."""

    def setUp(self):
        super().setUp()
        self.run_folder = pathlib.Path(self.output_folder, "run")
        self.data = os.path.join(self.output_folder, "ids.npy")
        self.ids = np.random.default_rng(0).integers(VOCAB_SIZE, size=10 * LENGTH, dtype=np.int32)
        np.save(self.data, self.ids)

    def original(self, name):
        return pathlib.Path(self.model_folder, name)

    def train(self):
        """Exports the folder and trains it; returns the last eval_ce."""
        code, _, stderr = run_exporter(self.model_folder, "--output", self.output)
        self.assertEqual((code, stderr), (0, ""))
        job = {"model_path": self.output, "train_files": self.data, "eval_files": self.data, "output_dir": self.run_folder,
               "max_length": LENGTH, "max_steps": 3, "learning_rate": 0.01, "eval_steps": 3, "save_steps": 0, "num_threads": 1,
               "tensorboard": "false", "device": "cpu"}  # fmt: skip
        flags = [text for key, value in job.items() for text in (f"--{key}", value)]
        result = program.run(*flags, timeout_s=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = map(json.loads, (self.run_folder / "metrics.jsonl").read_text().splitlines())
        return [line["eval_ce"] for line in lines if "eval_ce" in line][-1]

    def load(self, path):
        """The model of a folder in float32, all of whose tensors are there and are used."""
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
        self.assertEqual({kind: set(names) for kind, names in loading.items() if names}, {})
        return model.eval()

    def ce_of(self, model):
        rows = torch.from_numpy(self.ids.astype(np.int64)).view(-1, LENGTH)
        with torch.no_grad():
            logits = model(input_ids=rows, use_cache=False).logits.double()
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()).item()

    def check_trained_folder(self):
        """Trains the folder; returns its tensors before and after."""
        eval_ce = self.train()
        trained = self.run_folder / "model"
        before, after = load_file(self.original(WEIGHTS)), load_file(trained / WEIGHTS)
        self.assertEqual({k: (v.dtype, v.shape) for k, v in after.items()}, {k: (v.dtype, v.shape) for k, v in before.items()})
        others = {path.name for path in pathlib.Path(self.model_folder).iterdir()}
        self.assertEqual({path.name for path in trained.iterdir()}, others)
        for name in others - {WEIGHTS}:
            self.assertEqual((trained / name).read_bytes(), self.original(name).read_bytes(), name)
        if all(tensor.dtype == torch.float32 for tensor in after.values()):
            self.assertAlmostEqual(self.ce_of(self.load(trained)) / eval_ce, 1, delta=1e-6)
        return before, after

    def test_it_loads_and_has_the_products_loss(self):
        for arguments in (LLAMA, GPT2, GEMMA3, NEOX):
            with self.subTest(arguments["model_type"]):
                self.setUp()
                make_model(arguments, self.model_folder)
                self.original("tokenizer_config.json").write_text('{"a": "é"}')
                self.original("tokenizer.model").write_bytes(bytes(range(256)))
                before, after = self.check_trained_folder()
                self.assertTrue(all(not torch.equal(before[name], after[name]) for name in before))

    def test_model_safetensors_has_no_computed_buffers(self):
        make_model(GEMMA3, self.model_folder)
        self.train()
        stock = self.load(self.model_folder)
        buffers = {name for name, _ in stock.named_buffers()}
        self.assertTrue(buffers)
        saved = load_file(self.run_folder / WEIGHTS)
        self.assertEqual(set(saved) & buffers, set())
        self.assertLessEqual(set(saved), set(stock.state_dict()))

    def test_names_and_dtypes_are_those_of_the_folder(self):
        make_model(GPT2, self.model_folder)
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(self.original(WEIGHTS)).items()}
        save_file({k: v.bfloat16() if v.dim() == 2 else v.half() for k, v in tensors.items()}, self.original(WEIGHTS))
        self.check_trained_folder()

    def test_a_tied_head_is_written_twice_where_it_was(self):
        make_model(LLAMA, self.model_folder)
        tensors = load_file(self.original(WEIGHTS))
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(4)  # as older versions write it
        save_file(tensors, self.original(WEIGHTS))
        self.train()
        trained = load_file(self.run_folder / "model" / WEIGHTS)
        self.assertEqual(set(tensors) - set(trained), {"model.layers.0.self_attn.rotary_emb.inv_freq"})
        self.assertTrue(torch.equal(trained["lm_head.weight"], trained["model.embed_tokens.weight"]))

    def test_model_pt_of_a_run_gives_the_folder_again(self):
        make_model(LLAMA, self.model_folder)
        self.train()
        again = pathlib.Path(self.output_folder, "again")
        result = program.run("--model_path", self.run_folder / "model.pt", "--train_files", self.data, "--max_steps", 1, "--max_length", LENGTH,
                             "--learning_rate", 0, "--output_dir", again, timeout_s=300)  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((again / "model" / WEIGHTS).read_bytes(), (self.run_folder / "model" / WEIGHTS).read_bytes())

    def test_a_folder_of_no_run_is_not_replaced(self):
        make_model(LLAMA, self.model_folder)
        (self.run_folder / "model").mkdir(parents=True)
        run_exporter(self.model_folder, "--output", self.output)
        result = program.run("--model_path", self.output, "--train_files", self.data, "--max_steps", 1, "--max_length", LENGTH, "--output_dir", self.run_folder)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("'model'", result.stderr)

    def test_metadata_that_do_not_fit_are_refused(self):
        make_model(LLAMA, self.model_folder)
        run_exporter(self.model_folder, "--output", self.output)
        files = {"pdl_meta.json": "", "hf/config.json": ""}
        module = torch.jit.load(self.output, _extra_files=files)
        metadata = json.loads(files["pdl_meta.json"])
        metadata["weights"][0]["program_name"] = "nothing"
        wrong = {"no such tensor": (json.dumps(metadata), "nothing"), "no list": ('{"format": "pdl-ts-1", "weights": 3}', "weights")}
        for name, (text, reason) in wrong.items():
            with self.subTest(name):
                module.save(self.output, _extra_files={**files, "pdl_meta.json": text})
                result = program.run("check", "--model_path", self.output, "--train_files", self.data, "--max_length", LENGTH, "--output_dir", self.run_folder)
                self.assertEqual(result.returncode, 4, result.stderr)
                self.assertIn(reason, result.stderr)


class ExporterTest(TemporaryFolderTest):
    """What the exporter says."""

    def test_a_folder_without_single_tensors_has_none_and_is_warned_of(self):
        make_model(LLAMA, self.model_folder)
        with mock.patch.object(folder, "is_same", lambda tensor, value: tensor.shape == value.shape and value.dim() == 1):
            code, stdout, stderr = run_exporter(self.model_folder, "--output", self.output)
        self.assertEqual(code, 0, stderr)
        self.assertIn("writes no folder model", "".join(json.loads(stdout)["warnings"]))

    def test_the_rotary_precedence_is_warned_of(self):
        make_model(LLAMA, self.model_folder)
        path = pathlib.Path(self.model_folder, "config.json")
        config = json.loads(path.read_text())
        config["rope_scaling"] = {"rope_type": "linear", "factor": 2.0}
        path.write_text(json.dumps(config))
        code, stdout, stderr = run_exporter(self.model_folder, "--output", self.output)
        self.assertEqual(code, 0, stderr)
        self.assertIn("rope_scaling alone", "".join(json.loads(stdout)["warnings"]))
        self.assertIn("warning: config.json has rope_scaling and rope_parameters", stderr)

    def test_quick_compares_two_shapes_and_full_more(self):
        make_model({**LLAMA_LIKE, "model_type": "mistral", "sliding_window": 16}, self.model_folder)
        reports = {}
        for verify in ("quick", "full"):
            code, stdout, stderr = run_exporter(self.model_folder, "--output", self.output, "--verify", verify)
            self.assertEqual(code, 0, stderr)
            reports[verify] = json.loads(stdout)
            self.assertEqual(reports[verify]["verify"], verify)
        self.assertEqual(reports["quick"]["shapes"], [[1, 25], [3, 9]])
        self.assertGreater(len(reports["full"]["shapes"]), 4)
        self.assertNotIn("bf16_difference", reports["quick"])
        self.assert_refused(2, "--verify", [self.model_folder, "--output", self.output, "--verify", "none"])

    def test_progress_is_shown_when_it_takes_long(self):
        make_model(LLAMA, self.model_folder)
        with mock.patch.object(progress, "LONGEST_WAIT_S", 0.01):
            code, _, stderr = run_exporter(self.model_folder, "--output", self.output, shows_after_s=0.01)
        self.assertEqual(code, 0, stderr)
        self.assertRegex(stderr, r"(?m)^trace, \d+ s$")
        self.assertRegex(stderr, r"(?m)^verify: comparing gradients, \d+ s$")


if __name__ == "__main__":
    program.main()
