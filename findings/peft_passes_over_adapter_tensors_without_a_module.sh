#!/usr/bin/env bash
# PEFT warns of the tensors that an adapter lacks, but not of those that it has beside: adapters of modules that the
# model or the `target_modules` of adapter_config.json do not name are passed over without a word, and the model answers
# as if they had not been trained. That is so for a head that has another name (`embed_out` in the files of GPT-NeoX,
# `lm_head` in transformers 5), for an adapter of a model with more layers, and for a config that lists fewer modules
# than the tensors have. So whoever writes or renames adapters must compare the tensors with the modules himself.
#
# Seen with peft 0.21.2, transformers 5.24.0 and torch 2.13.0 (CPU build), a random Llama with adapters of q_proj and
# v_proj; the largest difference of a logit from the trained model's, and whether a warning names tensors:
#   as saved 0, no warning; tensors of layer 1 missing 0.33, warning; target_modules without v_proj 0.54, no warning
# Fails if a warning, or an error, tells of the tensors that are passed over.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.24.0 peft==0.21.2 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - "$folder/adapter" <<'PYTHON'
import json
import pathlib
import sys
import warnings

import peft
import safetensors.torch
import torch
import transformers

FOLDER = pathlib.Path(sys.argv[1])
TENSORS, CONFIG = FOLDER / "adapter_model.safetensors", FOLDER / "adapter_config.json"
IDS = torch.arange(12)[None]


def base():
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                 num_attention_heads=2, max_position_embeddings=64)
    )


def loaded():
    """Logits of the saved adapter, and whether a warning speaks of its keys."""
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        logits = peft.PeftModel.from_pretrained(base(), FOLDER).eval()(IDS).logits
    return logits, any("key" in str(warning.message) for warning in caught)


model = peft.get_peft_model(base(), peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
torch.manual_seed(1)
with torch.no_grad():
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.normal_()
    trained = model.eval()(IDS).logits
model.save_pretrained(FOLDER)
tensors, config = safetensors.torch.load_file(TENSORS), json.loads(CONFIG.read_text())

print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")
results = {}


def observe(name):
    logits, warns = loaded()
    results[name] = ((logits - trained).abs().max().item(), warns)
    print(f"{name}: {results[name][0]:.2g}, {'warning' if warns else 'no warning'}")


observe("as saved")
safetensors.torch.save_file({key: value for key, value in tensors.items() if ".layers.1." not in key}, TENSORS)
observe("tensors of layer 1 missing")
safetensors.torch.save_file(tensors, TENSORS)
CONFIG.write_text(json.dumps(config | {"target_modules": ["q_proj"]}))
observe("target_modules without v_proj")

assert results["as saved"] == (0, False), "an adapter does not load as it was saved"
assert results["tensors of layer 1 missing"][1], "missing tensors are passed over without a warning now"
difference, warns = results["target_modules without v_proj"]
assert difference > 0.01 and not warns, "PEFT tells of tensors without a module now"
PYTHON
