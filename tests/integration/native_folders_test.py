"""Hugging Face folders of every shape and spelling are read as transformers reads them.

    python tests/integration/native_folders_test.py --binary build/release/pdl-train

or with the binary in PDL_TRAIN_BINARY. Needs torch and transformers.
"""

import pathlib
import sys
import unittest

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
from native_comparison_case import (  # noqa: E402
    NativeComparisonCase, ProgramError, read_config, rewrite, saved, stored, write_config,
)  # fmt: skip
from safetensors import safe_open  # noqa: E402

LINEAR = {"rope_type": "linear", "factor": 4.0}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
GONE = object()  # a key that is taken away

# What is changed in the config.json of a variant: each changes what the model computes.
SPELLINGS = {
    "theta of old": ("llama", {"rope_parameters": GONE, "rope_theta": 5e5}),
    "scaling by type": (
        "llama",
        {"rope_parameters": GONE, "rope_theta": 2e4, "rope_scaling": {"type": "linear", "factor": 4.0}},
    ),
    "llama3 of old": ("llama", {"rope_parameters": GONE, "rope_theta": 5e5, "rope_scaling": LLAMA3}),
    "scaling beside parameters": (
        "llama",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "rope_scaling": LINEAR},
    ),
    "scaling with theta beside parameters": (
        "llama",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
         "rope_scaling": {**LINEAR, "rope_theta": 3e4}},
    ),
    "theta beside scaling": ("smollm3", {"rope_theta": 3e5, "rope_scaling": LINEAR}),
    "theta beside parameters": (
        "llama",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "rope_theta": 7e3},
    ),
    "share of phi": ("phi", {"rope_parameters": GONE, "partial_rotary_factor": 0.75}),
    "share of phi3": ("phi3", {"rope_parameters": GONE, "partial_rotary_factor": 0.67}),
    "share of stablelm": ("stablelm", {"rope_parameters": GONE, "partial_rotary_factor": 0.5}),
    "share and base of gpt_neox": (
        "gpt_neox", {"rope_parameters": GONE, "rotary_pct": 0.5, "rotary_emb_base": 2e4},
    ),
    "two bases of gemma3": (
        "gemma3_text", {"rope_parameters": GONE, "rope_theta": 2e6, "rope_local_base_freq": 2e3},
    ),
    "scaling of gemma3": (
        "gemma3_text",
        {"rope_parameters": GONE, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ),
    "pattern of gemma3": (
        "gemma3_text",
        {"layer_types": GONE, "_sliding_window_pattern": GONE, "sliding_window_pattern": 2},
    ),
    "pattern of cohere2": (
        "cohere2",
        {"layer_types": GONE, "_sliding_window_pattern": GONE, "sliding_window_pattern": 2},
    ),
    "pattern of exaone4": ("exaone4", {"layer_types": GONE, "sliding_window_pattern": 2}),
    "layers of qwen2": ("qwen2_window", {"layer_types": GONE, "max_window_layers": 2}),
    "interval of smollm3": ("smollm3", {"no_rope_layers": GONE, "no_rope_layer_interval": 2}),
    "pad by another id": ("llama", {"pad_token_id": 7}),
    "pad from the end": ("llama", {"pad_token_id": -3}),
    "no pad": ("llama", {"pad_token_id": None}),
}  # fmt: skip

# These change nothing.
SYNONYMS = {
    "dtype of old": ("llama", {"dtype": GONE, "torch_dtype": "float32"}),
    "null sizes": ("llama_linear", {"num_key_value_heads": None, "head_dim": None}),
    "general names of gpt2": (
        "gpt2",
        {"n_embd": GONE, "hidden_size": 18, "n_head": GONE, "num_attention_heads": 3,
         "n_layer": GONE, "num_hidden_layers": 2, "n_positions": GONE,
         "max_position_embeddings": 64},
    ),
    "keys without effect": (
        "llama", {"_name_or_path": "somewhere", "is_llama_config": True, "rope_scaling": None},
    ),
    "softcap of gemma3": ("gemma3_text", {"attn_logit_softcapping": 2.0}),
}  # fmt: skip


class NativeFoldersTest(NativeComparisonCase):
    def respell(self, variant, keys):
        """The folder of a variant with other keys."""
        folder = self.make_folder(variant, "respelt")
        config = {**read_config(folder), **keys}
        write_config(folder, {key: value for key, value in config.items() if value is not GONE})
        return folder

    def test_spellings(self):
        for name, (variant, keys) in (SPELLINGS | SYNONYMS).items():
            with self.subTest(name):
                folder = self.respell(variant, keys)
                self.assert_one_step_equal(folder)
                first = self.first_step(folder)
                changed = first != self.first_step(self.make_folder(variant, "plain"))
                self.assertEqual(changed, name in SPELLINGS)

    def first_step(self, folder):
        """Loss and gradient norm of a step."""
        line = self.train(folder, pdl_alpha=0).lines("train")[0]
        return line["loss"], line["grad_norm"]

    def test_the_row_of_padding_gets_no_gradient(self):
        embedding = "model.embed_tokens.weight"
        token = self.data.rows[0].ids[0]
        for pad, is_still in ((token, True), (None, False)):
            folder = self.respell("llama", {"pad_token_id": pad})
            job = self.train(folder, optim="sgd", momentum=0.0, learning_rate=1.0)
            same = saved(job)[embedding].eq(stored(folder)[embedding]).all(1)
            self.assertEqual(same[token].item(), is_still)

    def test_shards(self):
        folder = self.make_folder("qwen3", max_shard_size="8KB")
        self.assertGreater(len(list(folder.glob("model-*-of-*.safetensors"))), 2)
        self.assert_one_step_equal(folder)
        job = self.train(folder, learning_rate=0)
        self.assertEqual([path.name for path in job.output.glob("model/*.safetensors*")],
                         ["model.safetensors"])  # fmt: skip
        whole = stored(self.make_folder("qwen3", "whole"))
        self.assertEqual(set(saved(job)), set(whole))
        self.assertTrue(all(tensor.equal(saved(job)[name]) for name, tensor in whole.items()))

    def test_half_precisions(self):
        for dtype in (torch.bfloat16, torch.float16):
            with self.subTest(dtype):
                folder = self.make_folder("gemma2", "half")
                halves = {name: tensor.to(dtype) for name, tensor in stored(folder).items()}
                rewrite(folder, halves)
                write_config(folder, {**read_config(folder), "dtype": str(dtype).split(".")[1]})
                keys = {"max_steps": 3, "learning_rate": 1e-3, "adam_epsilon": 1e-4}
                compared = self.compared(folder)
                self.assert_equal(compared.gradients(self.data))
                differences = compared.training("run", self.data, {**keys, "pdl_alpha": 0.25})
                self.assert_equal(differences)
                after = stored(compared.scratch / "run" / "out" / "model")
                self.assertEqual({tensor.dtype for tensor in after.values()}, {dtype})
                unchanged = saved(self.train(folder, learning_rate=0))
                self.assertTrue(all(t.equal(unchanged[name]) for name, t in halves.items()))

    def test_names_without_prefix_and_header_without_metadata(self):
        for variant, prefix in (("llama", "model."), ("gpt2", "transformer."),
                                ("gpt_neox", "gpt_neox.")):  # fmt: skip
            with self.subTest(variant):
                folder = self.make_folder(variant, variant)
                tensors = {name.removeprefix(prefix): t for name, t in stored(folder).items()}
                rewrite(folder, tensors, metadata=None)
                self.assert_one_step_equal(folder)
                job = self.train(folder)
                self.assertEqual(set(saved(job)), set(tensors))
                with safe_open(job.output / "model" / "model.safetensors", "pt") as file:
                    self.assertEqual(file.metadata(), {"format": "pt"})

    def assert_trains_as(self, folder, names):
        """Requires one step as transformers', and these names of heads and embedding saved."""
        self.assert_one_step_equal(folder)
        tensors = saved(self.train(folder, learning_rate=1e-2))
        ends = ("embed_tokens.weight", "lm_head.weight")
        self.assertEqual({name for name in tensors if name.endswith(ends)}, names)
        return [tensors[name] for name in sorted(names)]

    def test_heads(self):
        embedding, head = "model.embed_tokens.weight", "lm_head.weight"
        tied, untied = "llama_biases", "llama"
        with self.subTest("another head than the config says"):
            folder = self.make_folder(tied, "1")
            tensors = stored(folder)
            rewrite(folder, {**tensors, head: tensors[embedding] + 0.01})
            first, second = self.assert_trains_as(folder, {embedding, head})
            self.assertFalse(torch.equal(first, second))
        with self.subTest("the same head as the config says"):
            folder = self.make_folder(tied, "2")
            rewrite(folder, {**stored(folder), head: stored(folder)[embedding]})
            first, second = self.assert_trains_as(folder, {embedding, head})
            self.assertTrue(torch.equal(first, second))
        with self.subTest("the same head, and the config does not tie"):
            folder = self.make_folder(untied, "3")
            rewrite(folder, {**stored(folder), head: stored(folder)[embedding]})
            first, second = self.assert_trains_as(folder, {embedding, head})
            self.assertFalse(torch.equal(first, second))
        with self.subTest("the head alone"):
            folder = self.make_folder(tied, "4")
            tensors = stored(folder)
            tensors[head] = tensors.pop(embedding)
            rewrite(folder, tensors)
            self.assert_trains_as(folder, {head})
        with self.subTest("no head, and the config does not tie"):
            folder = self.make_folder(untied, "5")
            rewrite(folder, {name: t for name, t in stored(folder).items() if name != head})
            with self.assertRaisesRegex(ProgramError, "exit code 4: .*lm_head.weight"):
                self.train(folder)


if __name__ == "__main__":
    program.main()
