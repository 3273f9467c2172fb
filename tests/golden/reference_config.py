"""run.json as the reference trainer reads it: keys, defaults, and what it refuses."""

import json
import os

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
    "chat_template chat_date pdl_max_unseen_share logits_chunk_rows num_threads eval_steps "
    "metric_for_best_model save_steps save_total_limit resume_from_checkpoint logging_steps "
    "tensorboard max_bad_steps spike_threshold".split()
)

REQUIRED = frozenset(("model_path", "tokenizer_path", "train_files"))

PATH_KEYS = ("model_path", "tokenizer_path", "pdl_frequency_table")
PATH_LIST_KEYS = ("train_files", "eval_files", "pdl_reference_files")


class ConfigError(Exception):
    """The configuration asks for something that is not covered here."""


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
