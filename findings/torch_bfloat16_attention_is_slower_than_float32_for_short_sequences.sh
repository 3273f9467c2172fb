#!/usr/bin/env bash
# On the CPU the backward of scaled_dot_product_attention in bfloat16 takes a nearly fixed time for each head, however
# small it is, so that for short sequences or small heads forward and backward take several times as long as in float32.
# autocast casts attention to bfloat16 whatever its size: training a small model under torch.autocast("cpu", bfloat16) can
# spend most of its step there, although products with weights are faster. For long sequences bfloat16 is the faster one.
#
# Seen with torch 2.13.0 (CPU build) on x86-64 with AMX, two threads, 64 heads, causal, forward and backward, the least of
# twelve calls, in ms of float32 and bfloat16:
#   128 positions, heads of 8: 2.2 and 13.0
#   256 positions, heads of 32: 14.8 and 19.7
#   1024 positions, heads of 64: 238.5 and 218.6
# Fails if bfloat16 takes less than twice the time of float32 in the first line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(2)


def least_ms(dtype, length, width):
    query, key, value = (torch.randn(8, 8, length, width, dtype=dtype, requires_grad=True) for _ in range(3))
    gradient = torch.randn(8, 8, length, width, dtype=dtype)
    times = []
    for _ in range(12):
        begin = time.perf_counter()
        F.scaled_dot_product_attention(query, key, value, is_causal=True).backward(gradient)
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


print(f"torch {torch.__version__}")
ratios = []
for length, width in ((128, 8), (256, 32), (1024, 64)):
    exact, rounded = least_ms(torch.float32, length, width), least_ms(torch.bfloat16, length, width)
    ratios.append(rounded / exact)
    print(f"{length} positions, heads of {width}: {exact:.1f} and {rounded:.1f}, {ratios[-1]:.1f} times")
sys.exit(ratios[0] < 2)
PYTHON
