#!/usr/bin/env python3
"""Trains as pdl-train is specified to, in plain PyTorch, to check its numbers against.

    python tests/golden/reference_trainer.py run.json > curve.json

Written from the specification alone and sharing no code with the trainer. It covers `.txt` files,
SentencePiece and float32 on the CPU, does not shuffle, and refuses what it does not cover.

The result is one JSON object:

  steps   one object a step: step, loss, ce, ppl, learning_rate, grad_norm, num_tokens, weight_sum,
          n_eff
  counts  occurrences of each token in the reference corpus (by default the training targets)
  rows    number of training rows
  eval    measures after the last step, with a part for each band of training counts; null without
          eval_files
"""

import itertools
import json
import math
import os
import re
import sys

import numpy as np
import sentencepiece
import torch

IGNORE_TARGET = -100

# Lowest training count of each band of the evaluation; a band ends before the next one.
BANDS = {"0": 0, "1-4": 1, "5-19": 5, "20-99": 20, "100-499": 100, "500-1999": 500, "2000+": 2000}

# Keys that change numbers, with their defaults.
DEFAULTS = {
    "eval_files": [],
    "text_document": "file",
    "add_bos": False,
    "add_eos": True,
    "max_length": 1024,
    "packing": True,
    "shuffle": True,
    "pdl_alpha": 0.25,
    "pdl_epsilon": 1.0,
    "pdl_frequency": "count",
    "pdl_reference_files": [],
    "pdl_frequency_table": "",
    "pdl_unseen": "formula",
    "pdl_special_tokens": "formula",
    "pdl_max_ratio": 0,
    "pdl_alpha_warmup_steps": 0,
    "max_steps": -1,
    "num_train_epochs": 3,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "per_device_eval_batch_size": 8,
    "eval_max_batches": 0,
    "learning_rate": 5e-5,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0,
    "min_lr_ratio": 0,
    "weight_decay": 0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 1.0,
    "optim": "adamw",
    "momentum": 0.9,
    "freeze": [],
    "precision": "fp32",
    "device": "auto",
    "early_stopping_patience": 0,
    "spike_action": "warn",
    "max_minutes": 0,
    "seed": 42,
}

# The only values that are covered here.
COVERED = {
    "shuffle": (False,),
    "precision": ("fp32",),
    "device": ("auto", "cpu"),
    "early_stopping_patience": (0,),
    "spike_action": ("warn",),
    "max_minutes": (0,),
    "text_document": ("file", "line", "paragraph"),
    "pdl_frequency": ("count", "relative"),
    "pdl_unseen": ("formula", "count_one"),
    "pdl_special_tokens": ("formula", "neutral"),
    "lr_scheduler_type": ("constant", "linear", "cosine", "warmup_stable_decay"),
    "optim": ("adamw", "sgd"),
}

# Keys without an influence on the numbers of a job that pdl-train accepts and finishes.
NO_EFFECT = frozenset(
    "output_dir completion_only_loss text_field prompt_field completion_field messages_field "
    "chat_template pdl_max_unseen_share logits_chunk_rows num_threads eval_steps "
    "metric_for_best_model save_steps save_total_limit resume_from_checkpoint logging_steps "
    "tensorboard max_bad_steps spike_threshold".split()
)

REQUIRED = frozenset(("model_path", "tokenizer_path", "train_files"))

PATH_KEYS = ("model_path", "tokenizer_path", "pdl_frequency_table")
PATH_LIST_KEYS = ("train_files", "eval_files", "pdl_reference_files")


class ConfigError(Exception):
    """The configuration asks for something that is not covered here."""


# --------------------------------------------------------------------------------------- config


def load_config(path):
    """Reads run.json; relative paths become relative to its folder."""
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    if not REQUIRED <= given.keys():
        raise ConfigError(f"needs {sorted(REQUIRED)}")
    unknown = given.keys() - DEFAULTS.keys() - NO_EFFECT - REQUIRED
    if unknown:
        raise ConfigError(f"keys not known here: {sorted(unknown)}")
    config = {**DEFAULTS, **given}
    folder = os.path.dirname(os.path.abspath(path))
    for key in PATH_KEYS:
        if config.get(key):
            config[key] = os.path.join(folder, config[key])
    for key in PATH_LIST_KEYS:
        files = [config[key]] if isinstance(config[key], str) else config[key]
        config[key] = [os.path.join(folder, file) for file in files]
    check_config(config)
    return config


def check_config(config):
    """Raises ConfigError for values that are not covered."""
    for key, values in COVERED.items():
        if config[key] not in values:
            raise ConfigError(f"{key} = {config[key]!r}: only {values} can be computed here")
    for key in PATH_LIST_KEYS:
        for file in config[key]:
            if not file.endswith(".txt"):
                raise ConfigError(f"{key}: {file}: only .txt files can be read here")
    if not config["tokenizer_path"].endswith(".model"):
        raise ConfigError(f"tokenizer_path: {config['tokenizer_path']}: only SentencePiece")


# ------------------------------------------------------------------------------- text and rows


def read_documents(path, kind):
    """Documents of a text file: the file, its lines, or its paragraphs; empty ones left out."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    if kind == "file":
        documents = [text]
    else:
        documents = text.replace("\r\n", "\n").split("\n")
    if kind == "paragraph":
        documents = join_paragraphs(documents)
    return [document for document in documents if document.strip()]


def join_paragraphs(lines):
    """Joins runs of lines that hold more than white space."""
    paragraphs = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        else:
            paragraphs.append([])
    return ["\n".join(paragraph) for paragraph in paragraphs]


def tokenize_files(config, tokenizer, files):
    """Ids of each document of some files, with bos and eos as configured."""
    bos = [tokenizer.bos_id()] if config["add_bos"] else []
    eos = [tokenizer.eos_id()] if config["add_eos"] else []
    if -1 in bos + eos:
        raise ConfigError("add_bos or add_eos: the tokenizer has no such token")
    return [
        bos + tokenizer.encode(document) + eos
        for path in files
        for document in read_documents(path, config["text_document"])
    ]


def make_rows(config, documents):
    """Cuts the documents into rows of at most max_length ids.

    With packing the documents are one stream. A row of one id would have no target and is left
    out.
    """
    streams = [list(itertools.chain(*documents))] if config["packing"] else documents
    length = config["max_length"]
    rows = [ids[i : i + length] for ids in streams for i in range(0, len(ids), length)]
    return [row for row in rows if len(row) > 1]


def make_batch(rows, pad_id):
    """Ids and targets, both int64 [B, T]; a position's target is the next id of its row."""
    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), pad_id)
    targets = torch.full((len(rows), length), IGNORE_TARGET)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        targets[i, : len(row) - 1] = torch.tensor(row[1:])
    return ids, targets


def batches_of(rows, size):
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def find_pad_id(tokenizer):
    """The pad id, else eos, else 0."""
    candidates = (tokenizer.pad_id(), tokenizer.eos_id(), 0)
    return next(token for token in candidates if token >= 0)


# ---------------------------------------------------------------------- frequencies and weights


def count_tokens(sequences, vocab_size):
    """Occurrences of each id, int64 [V]."""
    ids = np.array(list(itertools.chain(*sequences)), dtype=np.int64)
    return np.bincount(ids, minlength=vocab_size)


def reference_counts(config, tokenizer, rows, vocab_size):
    """Counts of a saved table, of the reference corpus, or of the training targets."""
    if config["pdl_frequency_table"]:
        with open(config["pdl_frequency_table"], encoding="utf-8") as file:
            counts = np.array(json.load(file)["counts"], dtype=np.int64)
        if len(counts) not in (tokenizer.vocab_size(), vocab_size):
            raise ConfigError(f"pdl_frequency_table: {len(counts)} counts do not fit the model")
        return np.pad(counts, (0, vocab_size - len(counts)))
    if config["pdl_reference_files"]:
        documents = tokenize_files(config, tokenizer, config["pdl_reference_files"])
        return count_tokens(documents, vocab_size)
    return count_tokens([row[1:] for row in rows], vocab_size)


def control_tokens(tokenizer, vocab_size):
    """Mask [V] of the tokens that stand for no text."""
    mask = np.zeros(vocab_size, dtype=bool)
    for token in range(tokenizer.vocab_size()):
        mask[token] = tokenizer.is_control(token) or tokenizer.is_unknown(token)
    return mask


def token_weights(config, counts, is_control, alpha):
    """Weights w = (frequency + epsilon)^-alpha of all tokens, float32 [V].

    The formula comes first, then what unseen tokens count as, then the cap on the ratio of
    weights, then the weight of control tokens.
    """
    frequency = counts.astype(np.float64)
    if config["pdl_unseen"] == "count_one":
        frequency = np.maximum(frequency, 1.0)
    if config["pdl_frequency"] == "relative":
        frequency = frequency / counts.sum()
    weights = (frequency + config["pdl_epsilon"]) ** -alpha
    if config["pdl_max_ratio"] > 0:
        weights = np.minimum(weights, config["pdl_max_ratio"] * weights[counts > 0].min())
    if config["pdl_special_tokens"] == "neutral":
        ordinary = ~is_control
        weights[is_control] = np.average(weights[ordinary], weights=counts[ordinary])
    return torch.tensor(weights, dtype=torch.float32)


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
        return torch.optim.SGD(groups, lr=0.0, momentum=config["momentum"])
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
