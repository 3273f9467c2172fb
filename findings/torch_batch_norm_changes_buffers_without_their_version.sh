#!/usr/bin/env bash
# batch_norm in training mode writes its running mean and variance in place, but their version counters do not move:
# the operator's schema does not say that it writes them. num_batches_tracked, written by add_, does move. So a program
# that finds changed buffers by `_version`, e.g. to save them or to undo a step, misses those two and must compare values.
#
# Seen with torch 2.13.0 (CPU build):
#   running_mean: changed, version 1 -> 1
#   running_var: changed, version 1 -> 1
#   num_batches_tracked: changed, version 1 -> 2
# Fails if the counters move.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

norm = torch.nn.BatchNorm1d(4).train()
before = {name: (buffer.clone(), buffer._version) for name, buffer in norm.named_buffers()}
norm(torch.randn(8, 4))
moved = {}
print(f"torch {torch.__version__}")
for name, buffer in norm.named_buffers():
    value, version = before[name]
    changed = not torch.equal(value, buffer)
    moved[name] = buffer._version != version
    print(f"{name}: {'changed' if changed else 'as it was'}, version {version} -> {buffer._version}")
    assert changed, f"{name} is not written"
assert moved == {"running_mean": False, "running_var": False, "num_batches_tracked": True}, "the counters move otherwise"
PYTHON
