#!/usr/bin/env bash
# Position ids that begin again at each document of a packed sequence keep the documents apart in transformers only with
# use_cache=False and without an attention_mask. With the default use_cache, also in training mode, and with a mask of
# ones beside use_cache=False, they are ignored as borders: the second document attends to the first, and nothing says
# so. The positions count all the same, so the loss looks normal. So a training loop on packed documents must pass
# use_cache=False and no attention_mask, or a block-diagonal mask of its own; a data collator that packs and also returns
# a mask of ones undoes the packing's borders.
#
# Seen with transformers 5.24.0 and torch 2.13.0 (CPU build), a random Llama, documents of 10 and 12 tokens; the largest
# difference of a logit from that of the documents alone:
#   eager: default 3.7, in training mode 3.7, use_cache=False 9.5e-07, use_cache=False with a mask of ones 3.7
#   sdpa: default 3.7, in training mode 3.7, use_cache=False 1.1e-06, use_cache=False with a mask of ones 3.7
# Fails if other calls keep the documents apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.24.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import transformers

torch.manual_seed(0)
model = transformers.LlamaForCausalLM(
    transformers.LlamaConfig(vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
                             num_attention_heads=2, max_position_embeddings=64)
)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
first, second = torch.randint(0, 64, (1, 10)), torch.randint(0, 64, (1, 12))
packed = {
    "input_ids": torch.cat([first, second], 1),
    "position_ids": torch.cat([torch.arange(10), torch.arange(12)])[None],
}
CALLS = {
    "default": {},
    "in training mode": {},
    "use_cache=False": {"use_cache": False},
    "use_cache=False with a mask of ones": {
        "use_cache": False, "attention_mask": torch.ones(1, 22, dtype=torch.int64),
    },
}
print(f"transformers {transformers.__version__}, torch {torch.__version__}")
with torch.no_grad():
    for attention in ("eager", "sdpa"):
        model.set_attn_implementation(attention)
        alone = torch.cat([model(first).logits, model(second).logits], 1)
        differences = {}
        for name, arguments in CALLS.items():
            model.train("training" in name)
            differences[name] = (model(**packed, **arguments).logits - alone).abs().max().item()
        model.eval()
        print(f"{attention}: " + ", ".join(f"{name} {value:.2g}" for name, value in differences.items()))
        apart = [name for name, value in differences.items() if value < 1e-4]
        assert apart == ["use_cache=False"], f"documents are kept apart by {apart} now"
PYTHON
