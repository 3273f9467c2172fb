#!/usr/bin/env bash
# On the CPU F.cross_entropy of float32 logits is too low, in every row, where the vocabulary is large and the logits are
# spread as a trained model's: its sum of exponentials loses more than it rounds. torch.logsumexp of the same float32
# logits is not biased, nor is cross_entropy in float64. The error does not average out over tokens, so a mean loss that
# is compared to 1e-6, or a difference of two losses of models with other vocabularies, needs logits.double() or
# logsumexp.
#
# Seen with torch 2.13.0 (CPU build), 64 rows of normal logits of deviation 3, difference from float64:
#   vocabulary 50257: cross_entropy mean -9.3e-07 (-2.6e-06 to 3.2e-07), logsumexp mean -7.9e-08
#   vocabulary 262144: cross_entropy mean -1.1e-05 (-2.0e-05 to -7.9e-06), logsumexp mean -5.0e-08
# Fails if a row of the larger vocabulary is not too low, or logsumexp is off by 4e-6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import torch.nn.functional as F

print(f"torch {torch.__version__}")
torch.set_num_threads(1)
torch.manual_seed(0)
for vocabulary in (50257, 262144):
    logits = torch.randn(64, vocabulary) * 3
    targets = torch.randint(0, vocabulary, (64,))
    exact = F.cross_entropy(logits.double(), targets, reduction="none")
    error = F.cross_entropy(logits, targets, reduction="none").double() - exact
    other = (logits.logsumexp(1) - logits.gather(1, targets[:, None])[:, 0]).double() - exact
    print(f"vocabulary {vocabulary}: cross_entropy mean {error.mean():.1e} ({error.min():.1e} to {error.max():.1e}), "
          f"logsumexp mean {other.mean():.1e}")
assert error.max() < -1e-6 and other.abs().max() < 4e-6, "cross_entropy or logsumexp behaves otherwise now"
PYTHON
