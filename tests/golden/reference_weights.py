"""Counts of tokens and their power-law decay weights, for the reference trainer."""

import itertools
import json

import numpy as np
from reference_config import ConfigError
from reference_rows import tokenize_files
import torch


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
