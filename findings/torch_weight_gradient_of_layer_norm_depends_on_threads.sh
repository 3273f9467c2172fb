#!/usr/bin/env bash
# On the CPU the gradients of layer_norm's weight and bias have other last bits with two threads than with one, because
# each thread sums over rows of its own, and so has that of softmax over rows of 250 values, but not of 256. The gradient
# of layer_norm's input has the same bits, and so has everything that rms_norm, linear, embedding and
# scaled_dot_product_attention give here, also with fewer key-value heads. So a training run that is to be repeated bit for
# bit needs the same number of threads if its model has layer_norm (GPT-2), and happens not to need it if the model has
# rms_norm (Llama) and round sizes: a test of such a promise with the one says nothing of the other.
#
# Seen with torch 2.13.0 (CPU build) on x86-64, two cores:
#   differ: layer_norm.weight layer_norm.bias softmax_of_250.input
#   same: layer_norm.input rms_norm.input rms_norm.weight linear.input linear.weight linear.bias embedding.weight
#         softmax_of_256.input attention.query attention.key attention.value
# Fails if another set differs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import torch.nn.functional as F

torch.manual_seed(0)
B, T, D, V = 4, 64, 256, 2000


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


ids = torch.randint(0, V, (B, T))
narrow = leaf(B, T, 250)
x, weight, bias, matrix, offset, table = leaf(B, T, D), leaf(D), leaf(D), leaf(V, D), leaf(V), leaf(V, D)
query, key, value = leaf(B, 8, T, 32), leaf(B, 2, T, 32), leaf(B, 2, T, 32)
OPERATORS = {
    "layer_norm": (lambda: F.layer_norm(x, (D,), weight, bias), {"input": x, "weight": weight, "bias": bias}),
    "rms_norm": (lambda: F.rms_norm(x, (D,), weight), {"input": x, "weight": weight}),
    "linear": (lambda: F.linear(x, matrix, offset), {"input": x, "weight": matrix, "bias": offset}),
    "embedding": (lambda: F.embedding(ids, table), {"weight": table}),
    "softmax_of_256": (lambda: F.softmax(x, -1), {"input": x}),
    "softmax_of_250": (lambda: F.softmax(narrow, -1), {"input": narrow}),
    "attention": (
        lambda: F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True),
        {"query": query, "key": key, "value": value},
    ),
}


def gradients(call, leaves, threads):
    torch.set_num_threads(threads)
    output = call()
    return torch.autograd.grad((output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum(), leaves)


verdicts = {"differ": [], "same": []}
for name, (call, leaves) in OPERATORS.items():
    one, two = (gradients(call, list(leaves.values()), threads) for threads in (1, 2))
    for leaf_name, a, b in zip(leaves, one, two):
        verdicts["same" if torch.equal(a, b) else "differ"].append(f"{name}.{leaf_name}")
print(f"torch {torch.__version__}")
for verdict, names in verdicts.items():
    print(f"{verdict}: {' '.join(names)}")
expected = ["layer_norm.weight", "layer_norm.bias", "softmax_of_250.input"]
assert verdicts["differ"] == expected, "another set of gradients differs now"
PYTHON
