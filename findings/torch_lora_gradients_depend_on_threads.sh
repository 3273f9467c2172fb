#!/usr/bin/env bash
# On a CPU the product that gives the gradient of a LoRA matrix A, [r, tokens]·[tokens, in], has other bits with another
# number of threads, also under torch.use_deterministic_algorithms(True): where the result has few rows or columns, the
# library divides the sum over the depth among the threads. So has the product that an adapter's forward begins with,
# x·Aᵀ, for few tokens, and one of few columns in float64; products of wide matrices have the same bits. Two runs of
# the same adapter training on the same machine drift apart when one has another OMP_NUM_THREADS, and a resumed run
# is not the run that was not interrupted; whoever needs equal bits fixes the number of threads or multiplies himself.
#
# Seen with torch 2.13.0 (CPU build) on an x86-64 CPU with AVX-512; equal to 1 thread with 2 and with 4 threads, and
# the largest difference of an entry from 1 thread with 2:
#   gradient of A  (8 x 2048)·(2048 x 4096): no, no; 9e-05     x·Aᵀ of 64 tokens  (64 x 4096)·(4096 x 8): no, no; 8e-05
#   float64  (16 x 5000)·(5000 x 17): no, no                   a layer  (512 x 576)·(576 x 1536): yes, yes
# Fails if a narrow product is the same with 1 and 2 threads, or the wide one is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch

CASES = {
    "gradient of A": (8, 2048, 4096, torch.float32),
    "x·Aᵀ of 64 tokens": (64, 4096, 8, torch.float32),
    "float64, few columns": (16, 5000, 17, torch.float64),
    "a layer": (512, 576, 1536, torch.float32),
}


def products(rows, depth, columns, dtype):
    torch.manual_seed(0)
    a, b = torch.randn(rows, depth, dtype=dtype), torch.randn(depth, columns, dtype=dtype)
    results = {}
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        results[threads] = a @ b
    return results


torch.use_deterministic_algorithms(True)
print("torch", torch.__version__)
changed = False
for name, shape in CASES.items():
    results = products(*shape)
    same = [torch.equal(results[1], results[threads]) for threads in (2, 4)]
    print(f"{name}: equal with 2 and 4 threads: {same}; largest difference {(results[1] - results[2]).abs().max():.1g}")
    changed = changed or same[0] != (name == "a layer")
sys.exit(changed)
PYTHON
