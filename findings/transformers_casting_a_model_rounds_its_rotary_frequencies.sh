#!/usr/bin/env bash
# model.to(torch.bfloat16), .bfloat16() and .half() of a loaded transformers model also round the inverse frequencies of
# its rotary positions, which are a buffer; from_pretrained(dtype=torch.bfloat16) keeps them in float32. The parameters
# are the same bits, the logits are not: at a thousand positions angles are off by a fifth of a radian. The rounded buffer
# is not saved, so the model is right again once it is saved and loaded. So a model is cast when it is loaded, or
# parameter by parameter; a comparison or an evaluation with a model that was cast measures another one.
#
# Seen with transformers 5.24.0 and torch 2.13.0 (CPU build), a random Llama, 1024 positions:
#   from_pretrained(dtype=bfloat16): frequencies torch.float32; float32 model .to(bfloat16): torch.bfloat16
#   differing parameters 0, largest error of an angle 0.18 radians, largest difference of a logit 0.062 (deviation 0.8)
# Fails if the frequencies stay float32 or the logits are equal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.24.0 numpy==2.4.0 2>/dev/null
TQDM_DISABLE=1 "$folder/venv/bin/python" -W ignore - "$folder/model" <<'PYTHON'
import sys

import torch
import transformers

folder = sys.argv[1]
torch.manual_seed(0)
model = transformers.LlamaForCausalLM(
    transformers.LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
                             num_attention_heads=2, max_position_embeddings=4096)
)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
model.save_pretrained(folder)
load = transformers.LlamaForCausalLM.from_pretrained
loaded, cast = load(folder, dtype=torch.bfloat16), load(folder, dtype=torch.float32).to(torch.bfloat16)
right, rounded = loaded.model.rotary_emb.inv_freq, cast.model.rotary_emb.inv_freq
ids = torch.randint(0, 64, (1, 1024))
with torch.no_grad():
    expected, found = loaded(ids).logits, cast(ids).logits
differing = sum(not torch.equal(a, b) for a, b in zip(loaded.parameters(), cast.parameters()))
angle = (1023 * (right - rounded.float())).abs().max().item()
print(f"transformers {transformers.__version__}, torch {torch.__version__}")
print(f"from_pretrained(dtype=bfloat16): frequencies {right.dtype}; float32 model .to(bfloat16): {rounded.dtype}")
print(f"differing parameters {differing}, largest error of an angle {angle:.2g} radians, "
      f"largest difference of a logit {(expected - found).abs().max():.2g} (deviation {expected.std():.2g})")
assert right.dtype == torch.float32 and rounded.dtype == torch.bfloat16, "the frequencies have other types now"
assert differing == 0 and not torch.equal(expected, found), "parameters or logits behave otherwise now"
PYTHON
