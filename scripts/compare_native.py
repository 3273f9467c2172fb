#!/usr/bin/env python3
"""Compares what pdl-train makes of a Hugging Face folder with transformers and PyTorch.

    .venv/bin/python scripts/compare_native.py FOLDER --binary build/release/pdl-train \
        [--text FILE | --chats FILE] [--steps 10]

Compared are logits; the loss, gradient norm and gradients of one step; every step and all
parameters of a training with alpha 0, and of one with alpha 0.25, a schedule, clipping, weight
decay and accumulation, with and without documents that are kept apart; and the saved folder,
which transformers loads without missing or unexpected keys, in an evaluation. The other side
shares nothing with the program: transformers' model in float32, cross-entropy in float64, PyTorch's
AdamW; it works out rows, ids and masks by itself. With --float64 its model is in float64, and what
PyTorch's float32 differs by from that is shown and accepted: of some models float32 gives no more.

--text trains on the paragraphs of a text, --chats on the chats of a JSONL file (field
"messages"), or on 100 chats made of a text, with the folder's chat template. Without them random
ids are trained on. Dropout is off on both sides.

stdout gets a table of the worst differences. Exit codes: 0 all are within their bounds, 1 some
is not or a run failed, 2 usage.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TQDM_DISABLE"] = "1"

import numpy
import torch
import transformers

from native_comparison import comparison, program, sequences

NUM_CHATS = 100
LENGTHS = (9, 40, 2, 33, 77, 5, 21)  # of random documents, in parts of 32 tokens of a sequence


def random_data(folder, model, max_length):
    """Documents of random ids, and as many for the evaluation."""
    config = transformers.AutoConfig.from_pretrained(model)
    generator = numpy.random.default_rng(0)
    paths, documents = [], []
    for index, length in enumerate(LENGTHS):
        ids = generator.integers(0, config.vocab_size, max(length * max_length // 32, 2))
        path = folder / f"{index}.npy"
        numpy.save(path, ids.astype(numpy.int32))
        paths.append(str(path))
        documents.append(sequences.Document(ids.tolist(), [1] * len(ids)))
    rows = sequences.pack(documents, max_length)
    keys = {"train_files": paths, "eval_files": paths, "max_length": max_length}
    return comparison.Data(keys, rows, rows)


def text_data(text, model, max_length):
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    rows = sequences.pack(sequences.text_documents(text, tokenizer), max_length)
    keys = {"train_files": [text], "eval_files": [text], "text_document": "paragraph"}
    return comparison.Data({**keys, "max_length": max_length}, rows, rows)


def chat_data(options, folder):
    """Chats of a file, or made of a text."""
    chats = os.path.abspath(options.chats)
    if not chats.endswith(".jsonl"):
        made = sequences.make_chats(chats, NUM_CHATS)
        chats = str(folder / "chats.jsonl")
        lines = [json.dumps({"messages": messages}) + "\n" for messages in made]
        pathlib.Path(chats).write_text("".join(lines), encoding="utf-8")
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.folder)
    rows = sequences.pack(sequences.chat_documents(chats, tokenizer), options.max_length)
    keys = {"train_files": [chats], "eval_files": [chats], "chat_template": options.chat_template}
    return comparison.Data({**keys, "max_length": options.max_length}, rows, rows)


def make_data(options, folder):
    if options.text:
        return text_data(os.path.abspath(options.text), options.folder, options.max_length)
    if options.chats:
        return chat_data(options, folder)
    return random_data(folder, options.folder, options.max_length)


def compare(options, scratch):
    """Runs everything; returns the worst differences by run, and those of PyTorch's float32."""
    model = scratch / "model"
    program.without_dropout(options.folder, model)
    data = make_data(options, scratch)
    data.eval_rows = data.eval_rows[: options.eval_rows]
    data.keys.update({"eval_max_batches": options.eval_rows, "per_device_eval_batch_size": 1})
    compared = comparison.Comparison(
        model, scratch, lambda *arguments: program.run_command(options.binary, *arguments),
        options.num_threads,
        dtype=torch.float64 if options.float64 else torch.float32,
    )  # fmt: skip
    plain = {
        "max_steps": options.steps, "learning_rate": options.learning_rate,
        "adam_epsilon": options.adam_epsilon,
    }  # fmt: skip
    full = {
        **plain, "pdl_alpha": 0.25, "lr_scheduler_type": "cosine", "warmup_steps": 2,
        "max_grad_norm": 0.5, "weight_decay": 0.1, "gradient_accumulation_steps": 2,
    }  # fmt: skip
    plain_loss = {**plain, "pdl_alpha": 0.0, "max_grad_norm": 0.0}
    results = {
        "logits": compared.logits(options.logits),
        "gradients": compared.gradients(data),
        "alpha-0": compared.training("alpha-0", data, plain_loss, isolates=False),
        "alpha-0.25": compared.training("alpha-0.25", data, full),
    }
    return results, compared.of_pytorch


def parse_arguments():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compares pdl-train with transformers on a folder."
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="a Hugging Face folder")
    add("--binary", required=True, metavar="PATH", help="the pdl-train program")
    add("--text", metavar="FILE", help="a text, of which each paragraph is a document")
    add("--chats", metavar="FILE", help="chats in JSONL, or a text to make chats of")
    add("--chat_template", default="auto", help="of the program; here it is always the folder's")
    add("--steps", type=int, default=10, help="steps of a training")
    add("--learning_rate", type=float, default=1e-4)
    add("--adam_epsilon", type=float, default=1e-6, help="small ones make steps of rounding")
    add("--max_length", type=int, default=32, help="tokens of a sequence")
    add("--logits", type=int, default=32, help="logits to compare")
    add("--eval_rows", type=int, default=16, help="sequences of an evaluation")
    add("--num_threads", type=int, default=0)
    add("--float64", action="store_true", help="transformers' model and its training in float64")
    options = parser.parse_args()
    if options.text and options.chats:
        parser.error("name either --text or --chats")
    if not os.path.isfile(os.path.join(options.folder, "config.json")):
        parser.error(f"{options.folder}: no folder with a config.json")
    if not os.access(options.binary, os.X_OK):
        parser.error(f"--binary {options.binary}: no such program")
    options.binary = os.path.abspath(options.binary)
    return options


def main():
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            results, of_pytorch = compare(options, pathlib.Path(scratch))
        except (program.ProgramError, OSError, ValueError) as error:
            print(f"error: {' '.join(str(error).split())[:280]}", file=sys.stderr)
            return 1
    return 0 if comparison.print_table(results, of_pytorch) else 1


if __name__ == "__main__":
    sys.exit(main())
