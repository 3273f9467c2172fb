#!/usr/bin/env python3
"""Trains as pdl-train is specified to, in plain PyTorch, to check its numbers against.

    python tests/golden/reference_trainer.py run.json > curve.json

Written, with the reference_*.py beside it, from the specification alone and sharing no code with the
trainer. It covers `.txt` files, SentencePiece and float32 on the CPU, does not shuffle, and refuses
what it does not cover.

The result is one JSON object:

  steps   one object a step: step, loss, ce, ppl, learning_rate, grad_norm, num_tokens, weight_sum,
          n_eff
  counts  occurrences of each token in the reference corpus (by default the training targets)
  rows    number of training rows
  eval    measures after the last step, with a part for each band of training counts; null without
          eval_files
"""

import json
import math
import re
import sys

import numpy as np
from reference_config import ConfigError, load_config
from reference_rows import (
    IGNORE_TARGET,
    batches_of,
    find_pad_id,
    make_batch,
    make_rows,
    tokenize_files,
)
from reference_weights import control_tokens, reference_counts, token_weights
import sentencepiece
import torch

# Lowest training count of each band of the evaluation; a band ends before the next one.
BANDS = {"0": 0, "1-4": 1, "5-19": 5, "20-99": 20, "100-499": 100, "500-1999": 500, "2000+": 2000}


# ---------------------------------------------------------------------------------- model, loss


def load_model(path):
    """Loads the TorchScript model, to be run by the plain interpreter."""
    torch._C._set_graph_executor_optimize(False)
    return torch.jit.load(path, map_location="cpu")


def run_model(model, ids):
    """Logits [B, T, V] of a model that returns them bare, in a tuple or in a dict."""
    output = model(ids)
    if isinstance(output, dict):
        output = output["logits"]
    elif isinstance(output, (list, tuple)):
        output = output[0]
    return output.float()


def find_vocab_size(model):
    with torch.no_grad():
        return run_model(model.eval(), torch.zeros(1, 2, dtype=torch.int64)).shape[-1]


def target_losses(model, batch):
    """Cross-entropies [N], targets [N] and logits [N, V] of the positions with a target."""
    ids, targets = batch
    logits = run_model(model, ids)
    mask = targets != IGNORE_TARGET
    logits, targets = logits[mask], targets[mask]
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none"), targets, logits


# ------------------------------------------------------------------------------------- training


def count_steps(config, num_rows):
    """Optimiser steps of the whole run."""
    if config["max_steps"] > 0:
        return config["max_steps"]
    rows_per_step = config["per_device_train_batch_size"] * config["gradient_accumulation_steps"]
    return math.ceil(config["num_train_epochs"] * math.ceil(num_rows / rows_per_step))


def learning_rate(config, step, num_steps):
    """Learning rate of a step, counted from 1."""
    done = step - 1
    warmup = config["warmup_steps"]
    if 0 < warmup < 1:
        warmup = math.ceil(warmup * num_steps)
    if done < warmup:
        return config["learning_rate"] * done / warmup
    kind = config["lr_scheduler_type"]
    if kind == "linear":
        factor = (num_steps - done) / (num_steps - warmup)
    elif kind == "cosine":
        factor = 0.5 * (1.0 + math.cos(math.pi * (done - warmup) / (num_steps - warmup)))
    elif kind == "warmup_stable_decay":
        factor = min(1.0, (num_steps - done) / math.ceil(num_steps / 10))
    else:
        factor = 1.0
    floor = config["min_lr_ratio"]
    return config["learning_rate"] * (floor + (1.0 - floor) * factor)


class DecoupledSgd(torch.optim.SGD):
    """SGD whose decay acts on the parameters apart from the momentum, as that of AdamW does."""

    def __init__(self, groups, momentum):
        self.decays = [group.pop("weight_decay") for group in groups]
        super().__init__(groups, lr=0.0, momentum=momentum)

    @torch.no_grad()
    def step(self):
        for group, decay in zip(self.param_groups, self.decays):
            for parameter in group["params"]:
                parameter.mul_(1.0 - group["lr"] * decay)
        super().step()


def make_optimizer(config, model):
    """The optimiser of all parameters that are not frozen, each tensor once."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():  # A tied tensor comes once.
        if any(re.search(pattern, name) for pattern in config["freeze"]):
            parameter.requires_grad_(False)
        elif parameter.dim() >= 2:
            decayed.append(parameter)
        else:
            plain.append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config["weight_decay"]},
        {"params": plain, "weight_decay": 0.0},
    ]
    if config["optim"] == "sgd":
        return DecoupledSgd(groups, config["momentum"])
    betas = (config["adam_beta1"], config["adam_beta2"])
    return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=config["adam_epsilon"], fused=True)


def split_mix(state):
    """SplitMix64 (Steele, Lea, Flood, 2014): the number that follows `state`."""
    bits = (1 << 64) - 1
    z = state = (state + 0x9E3779B97F4A7C15) & bits
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & bits
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & bits
    return state, z ^ (z >> 31)


def stream_number(seed, stream):
    """The first number of stream `stream` of `seed`: seed, hash, add the stream, hash, draw."""
    state, hashed = split_mix(seed)
    _, hashed = split_mix((hashed + stream) % (1 << 64))
    return split_mix(hashed)[1]


def dropout_seed(seed, step, micro_batch):
    """What the random generator is seeded with before a micro-batch; both counted from 0."""
    return stream_number(stream_number(seed, step), micro_batch)


def train_step(model, optimizer, batches, weights, max_grad_norm, seeds):
    """Makes one step on micro-batches of (ids, targets), except for setting the learning rate.

    The gradient is that of the weighted mean over all targets of the step. `seeds` are those of the
    random generator for each micro-batch.

    Returns:
      loss, ce, grad_norm, weight_sum, n_eff and the number of targets.
    """
    targets = torch.cat([targets[targets != IGNORE_TARGET] for _, targets in batches])
    target_weights = weights[targets].double()
    weight_sum = target_weights.sum().item()
    weighted_ce = ce = 0.0
    for batch, seed in zip(batches, seeds, strict=True):
        torch.manual_seed(seed)
        losses, targets_of_batch, _ = target_losses(model, batch)
        batch_weights = weights[targets_of_batch]
        ((batch_weights * losses).sum() / weight_sum).backward()
        losses = losses.detach().double()
        weighted_ce += (batch_weights.double() * losses).sum().item()
        ce += losses.sum().item()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    limit = max_grad_norm if max_grad_norm > 0 else math.inf
    grad_norm = torch.nn.utils.clip_grad_norm_(parameters, limit).item()
    optimizer.step()
    optimizer.zero_grad()
    return {
        "loss": weighted_ce / weight_sum,
        "ce": ce / len(targets),
        "grad_norm": grad_norm,
        "weight_sum": weight_sum,
        "n_eff": weight_sum**2 / target_weights.square().sum().item(),
        "targets": len(targets),
    }


def train(config):
    """Trains as configured.

    The random generator is seeded before each micro-batch, so that dropout draws the same numbers
    as in any program that does the same.

    Args:
      config: as from load_config.

    Returns:
      The result described at the top of this file, as a dict.
    """
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=config["tokenizer_path"])
    model = load_model(config["model_path"])
    vocab_size = find_vocab_size(model)
    rows = make_rows(config, tokenize_files(config, tokenizer, config["train_files"]))
    counts = reference_counts(config, tokenizer, rows, vocab_size)
    is_control = control_tokens(tokenizer, vocab_size)
    optimizer = make_optimizer(config, model)
    num_steps = count_steps(config, len(rows))
    epoch = batches_of(
        batches_of(rows, config["per_device_train_batch_size"]),
        config["gradient_accumulation_steps"],
    )
    steps, num_tokens = [], 0
    model.train()
    for step in range(1, num_steps + 1):
        alpha = config["pdl_alpha"]
        if config["pdl_alpha_warmup_steps"] > 0:
            alpha *= min(1.0, (step - 1) / config["pdl_alpha_warmup_steps"])
        weights = token_weights(config, counts, is_control, alpha)
        rate = learning_rate(config, step, num_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        window = epoch[(step - 1) % len(epoch)]
        batches = [make_batch(batch, find_pad_id(tokenizer)) for batch in window]
        seeds = [dropout_seed(config["seed"], step - 1, i) for i in range(len(batches))]
        record = train_step(model, optimizer, batches, weights, config["max_grad_norm"], seeds)
        num_tokens += record.pop("targets")
        record.update(
            step=step, ppl=math.exp(record["ce"]), learning_rate=rate, num_tokens=num_tokens
        )
        steps.append(record)
    measures = None
    if config["eval_files"]:
        weights = token_weights(config, counts, is_control, config["pdl_alpha"])
        measures = evaluate(config, tokenizer, model, weights, counts)
    return {"steps": steps, "counts": counts.tolist(), "rows": len(rows), "eval": measures}


# ----------------------------------------------------------------------------------- evaluation


def evaluate(config, tokenizer, model, weights, counts):
    """Measures the model on eval_files, in all and by bands of training counts."""
    rows = make_rows(config, tokenize_files(config, tokenizer, config["eval_files"]))
    batches = batches_of(rows, config["per_device_eval_batch_size"])
    if config["eval_max_batches"] > 0:
        batches = batches[: config["eval_max_batches"]]
    band_of = np.digitize(counts, list(BANDS.values())) - 1
    members = torch.nn.functional.one_hot(torch.tensor(band_of), len(BANDS)).double()
    losses, targets, hits, masses = [], [], [], []
    model.eval()
    with torch.no_grad():
        for batch in batches:
            batch = make_batch(batch, find_pad_id(tokenizer))
            batch_losses, batch_targets, logits = target_losses(model, batch)
            losses.append(batch_losses.double())
            targets.append(batch_targets)
            hits.append((logits.argmax(-1) == batch_targets).double())
            masses.append(logits.double().softmax(-1) @ members)
    losses, targets, hits = torch.cat(losses), torch.cat(targets), torch.cat(hits)
    masses = torch.cat(masses).mean(0)
    target_weights = weights.double()[targets]
    ce = losses.mean().item()
    bands = {}
    for i, name in enumerate(BANDS):
        in_band = members[targets, i] > 0
        bands[name] = {
            "tokens": int(in_band.sum()),
            "ce": losses[in_band].mean().item() if in_band.any() else None,
            "accuracy": hits[in_band].mean().item() if in_band.any() else None,
            "predicted_mass": masses[i].item(),
        }
    return {
        "eval_loss": ((target_weights * losses).sum() / target_weights.sum()).item(),
        "eval_ce": ce,
        "eval_ppl": math.exp(ce),
        "eval_tokens": len(targets),
        "eval_accuracy": hits.mean().item(),
        "eval_bands": bands,
    }


def main():
    if len(sys.argv) != 2:
        sys.exit("error: usage: reference_trainer.py run.json > curve.json")
    try:
        config = load_config(sys.argv[1])
        torch.set_num_threads(config.get("num_threads") or torch.get_num_threads())
        result = train(config)
    except (ConfigError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
