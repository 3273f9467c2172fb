"""The common part of the PyTorch programs: job, sequences, loss and the record of the steps.

A job is a JSON object with the keys model (a folder of save_pretrained or a TorchScript file), rows
(a JSON file: lists of ids), rows_per_step, steps, learning_rate, pdl_alpha and pdl_epsilon.
"""

import json
import os
import sys
import time

import torch

IGNORE_TARGET = -100


class BareLogits(torch.nn.Module):
    """A TorchScript model with the call and the result of a Hugging Face model."""

    def __init__(self, path):
        super().__init__()
        # Optimised, the first steps are slow and later gradients differ from those of the first.
        torch._C._set_graph_executor_optimize(False)
        self.model = torch.jit.load(path)

    def forward(self, input_ids, use_cache=False):
        output = self.model(input_ids)
        if isinstance(output, (list, tuple)):
            output = {"logits": output[0]}
        elif not isinstance(output, dict):
            output = {"logits": output}
        return output


def load_job():
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


def load_rows(job):
    """All sequences of the text: those for training come first, and all of them are counted."""
    with open(job["rows"], encoding="utf-8") as file:
        return json.load(file)


def load_model(job):
    if not os.path.isdir(job["model"]):
        return BareLogits(job["model"])
    import transformers  # Takes seconds, which a TorchScript model does not need.

    return transformers.AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)


def make_weights(job, rows):
    """The weight 1 / (count + epsilon)^alpha of each id, by its count among all targets."""
    counts = torch.bincount(torch.tensor([id for row in rows for id in row[1:]]))
    return ((counts.double() + job["pdl_epsilon"]) ** -job["pdl_alpha"]).float()


def targets_of(row):
    """The next id of each position. The labels are shifted because that copies no logits."""
    return row[1:] + [IGNORE_TARGET]


def weighted_loss(logits, targets, weights):
    """The weighted mean of the cross-entropy over all targets of a step."""
    logits, targets = logits.flatten(0, 1).float(), targets.flatten()
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    target_weights = weights[targets.clamp(min=0)] * (targets != IGNORE_TARGET)
    return (target_weights * losses).sum() / target_weights.sum()


class Record:
    """Times on the system's monotonic clock, which compare.py reads too, and losses."""

    def begin(self):
        self.result = {"begin": time.monotonic(), "ends": [], "losses": []}

    def end_step(self, loss):
        self.result["losses"].append(loss.item())
        self.result["ends"].append(time.monotonic())

    def print(self):
        print(json.dumps({**self.result, "threads": torch.get_num_threads()}))
