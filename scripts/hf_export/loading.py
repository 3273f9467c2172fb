"""Reads a Hugging Face model folder; refuses models that cannot be exported exactly."""

import copy
import json
import os

import torch
import transformers

from hf_export.attention import ATTENTION_NAME
from hf_export.errors import ExportError, UnknownAttentionError, UsageError


def load_config(folder):
    """Reads the configuration of a model folder, with the cache switched off."""
    if not os.path.isfile(os.path.join(folder, "config.json")):
        raise ExportError(f"{folder}: has no config.json; give a folder made by save_pretrained")
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ExportError(f"{folder}: config.json cannot be used: {error}")
    config.use_cache = False
    return config


def rotary_warnings(folder):
    """Warns of rotary settings that transformers passes over without a word."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    scaling, parameters = config.get("rope_scaling"), config.get("rope_parameters")
    if not scaling or not parameters or scaling == parameters:
        return []
    return [
        "config.json has rope_scaling and rope_parameters: transformers uses rope_scaling alone, "
        "and so does the file; remove the one that is not meant"
    ]


def refuse_unsupported(config, keep_dropout):
    """Raises ExportError for settings that a trace could get wrong unnoticed.

    What is refused here may pass the comparison on the short sequences of the verification and go
    wrong with longer ones, or at random.
    """
    if getattr(config, "quantization_config", None):
        raise ExportError("the weights are quantized; only float weights can be trained")
    text_config = config.get_text_config()
    for rope_type in rope_types(text_config):
        if "dynamic" in rope_type or rope_type == "longrope":
            raise ExportError(
                f'rope type "{rope_type}" changes with the row length, which a trace cannot follow'
            )
    nested = getattr(text_config, "attn_config", None)
    has_alibi = any(getattr(part, "alibi", False) for part in (text_config, nested))
    if has_alibi or text_config.model_type == "bloom":
        raise ExportError("alibi position biases are not supported")
    if getattr(text_config, "attention_chunk_size", None):
        raise ExportError("attention in chunks is not supported")
    for layer_type in getattr(text_config, "layer_types", None) or ():
        if layer_type not in ("full_attention", "sliding_attention"):
            raise ExportError(f'layers of type "{layer_type}" are not supported')
    if keep_dropout and getattr(text_config, "layerdrop", 0.0):
        raise ExportError(
            "layerdrop skips layers at random, which a trace cannot; use --no_dropout"
        )


def rope_types(config):
    """Names of the rotary position embeddings, of all layer types."""
    parameters = getattr(config, "rope_parameters", None) or {}
    nested = [value for value in parameters.values() if isinstance(value, dict)]
    return [entry.get("rope_type", "default") for entry in [parameters] + nested]


def longest_row(config, requested):
    """Tokens in the longest sequence for which the file has to be exact; 0 is no limit.

    Args:
      config: configuration of the model.
      requested: value of --max_length, 0 if not given.
    """
    text_config = config.get_text_config()
    positions = getattr(text_config, "max_position_embeddings", None)
    positions = int(positions or getattr(text_config, "n_positions", None) or 0)
    if positions and requested > positions:
        raise UsageError(f"--max_length {requested}: the model has {positions} positions")
    return requested or positions


def load_model(folder, config, attention, device):
    """Loads the float32 model with the named attention implementation.

    transformers fills weights that the folder lacks with random numbers and only warns; here that
    is an error.

    Returns:
      The model, and the names of weights in the folder that it does not use.
    """
    try:
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            config=copy.deepcopy(config),
            attn_implementation=attention,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        if isinstance(error, KeyError) and ATTENTION_NAME in str(error):
            raise UnknownAttentionError from error
        raise ExportError(f"{folder}: the model cannot be loaded: {error}")
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(str(name) for name in loading[kind])
        if names:
            raise ExportError(f"{folder}: weights: {kind.replace('_', ' ')} {', '.join(names)}")
    return model.to(device), sorted(loading["unexpected_keys"])
