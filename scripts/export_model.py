#!/usr/bin/env python3
"""Exports a Hugging Face causal language model as a trainable TorchScript file.

    .venv/bin/python scripts/export_model.py FOLDER --output model.pt

The file holds float32 weights under their Hugging Face names, and up to three methods:

    forward(input_ids int64 [B, T]) -> logits float32 [B, T, V]
    hidden(input_ids int64 [B, T]) -> float32 [B, T, D], all that comes before the output head
    head(hidden float32 [..., D]) -> logits float32 [..., V], the output head alone

`forward(ids)` is `head(hidden(ids))`; a caller of these two can take the logits of some positions
at a time and never needs those of a whole batch in memory. They are left out, with a warning and
`"head": false` in the report, where the model cannot be split exactly. FOLDER is what
`save_pretrained` writes; a tokenizer is not needed.

How it works (the parts are in scripts/hf_export):

* Attention becomes a small *scripted* module that is causal by construction, so that no mask is
  built and dropout obeys `train()` and `eval()` of the loaded file. The rest is *traced*. Models
  that take no custom attention function are traced with their own eager attention.
* Every `nn.Dropout` becomes a scripted module too: a traced one would keep the mode it was traced
  in. With `--no_dropout` the model is traced in evaluation mode and has no dropout at all.
* Positions are derived from the ids, and copies to the device a tensor is already on are left
  out, so that the file is not bound to one device.
* `hidden` is the body of the model; `head` is traced from the model's own forward with a body
  that returns what it is given, so that whatever forward does to the logits is part of it.
* The finished file is loaded again and compared with the stock model before it gets its name:
  parameters and ties, logits, gradients, causality, both modes, and the head on chunks of
  positions; with `--verify full` at more shapes. A model that does not pass leaves no file.
* The files beside the weights, such as config.json and those of the tokenizer, are put into the
  file, with the names and dtypes of the folder's tensors. A run of pdl-train then writes the
  trained folder.

An export that takes long says on stderr what it does.

On success stdout holds one JSON object with the measured figures; a failure is one line
`error: ...` on stderr. Exit codes: 0 done, 1 internal error, 2 usage, 4 the model cannot be
exported exactly, 6 the file cannot be written.
"""

import argparse
import json
import logging
import os
import sys
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"  # The folder on disk is all that is ever read.

try:
    import torch
    import transformers
except ImportError as error:
    sys.exit(f"error: {error}; use a Python that has torch and transformers, such as .venv's")

from hf_export.errors import CommandError, UsageError
from hf_export.folder import companion_files
from hf_export.loading import (
    load_config,
    load_model,
    longest_row,
    refuse_unsupported,
    rotary_warnings,
)
from hf_export.progress import Progress
from hf_export.tracing import trace_folder
from hf_export.verification import find_warnings, verify_file
from hf_export.writing import make_metadata, published_on_success, save, storage_errors


def export(options):
    """Makes and verifies the file; returns the report as a dict."""
    config = load_config(options.folder)
    refuse_unsupported(config, keep_dropout=not options.no_dropout)
    max_length = longest_row(config, options.max_length)
    progress = Progress()
    with progress.shown(), published_on_success(options.output) as temporary:
        with progress.phase("trace"):
            traced = trace_folder(options, config, max_length)
        with progress.phase("save"), storage_errors(options.output):
            metadata = make_metadata(config, traced, max_length)
            files = companion_files(options.folder)
            file_bytes = save(traced.module, metadata, files, temporary)
        traced.module = None  # Frees its weights before two other copies are loaded.
        with progress.phase("verify"):
            stock, unused = load_model(options.folder, config, "eager", options.device)
            quick = options.verify == "quick"
            figures = verify_file(temporary, stock, traced, max_length, quick, progress)
    return {
        "model": options.folder,
        "output": options.output,
        "architecture": traced.architecture,
        "attention": traced.attention,
        "dropout": traced.dropout,
        "tied": traced.tied,
        "vocab_size": traced.vocab_size,
        "head": traced.head,
        "max_length": max_length,
        "file_bytes": file_bytes,
        "verify": options.verify,
        **figures,
        "warnings": rotary_warnings(options.folder) + find_warnings(figures, traced, unused),
        "seconds": progress.seconds,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose failures are one line."""

    def error(self, message):
        raise UsageError(f"{message}; see --help")


def parse_arguments(argv):
    """Parses and checks the command line."""
    parser = ArgumentParser(
        allow_abbrev=False,
        description="Exports a Hugging Face causal language model as a trainable, verified "
        "TorchScript file.",
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="model folder, as written by save_pretrained")
    add("--output", required=True, metavar="FILE", help="file to write; replaced if it exists")
    add("--no_dropout", action="store_true", help="leave all dropout out")
    add(
        "--max_length",
        type=int,
        default=0,
        metavar="N",
        help="longest row in tokens that will be used (default: the positions of the model); "
        "attention windows of this size or more are left out, which is faster",
    )
    add(
        "--verify",
        choices=("quick", "full"),
        default="quick",
        help="how much to compare with the original: quick (default), which takes seconds, shows "
        "that logits, gradients, causality, dropout and head are right at two shapes; full tries "
        "more shapes, rows longer than every window, and bf16",
    )
    add("--device", default="cpu", help="device to trace and verify on (default: cpu)")
    options = parser.parse_args(argv)
    if options.max_length < 0 or options.max_length == 1:
        raise UsageError(f"--max_length {options.max_length}: must be at least 2")
    folder = os.path.dirname(os.path.abspath(options.output))
    if not os.path.isdir(folder):
        raise UsageError(f"--output {options.output}: there is no folder {folder}")
    if os.path.isdir(options.output):
        raise UsageError(f"--output {options.output}: is a folder")
    try:
        torch.empty(0, device=options.device)
    except (AssertionError, RuntimeError) as error:
        raise UsageError(f"--device {options.device}: {error}")
    return options


def one_line(message, limit=290):
    """A message without line breaks, cut to the length of an error line."""
    text = " ".join(str(message).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def quieten_libraries():
    """Keeps stderr to this program's own lines."""
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()


def main(argv=None):
    """Runs the program; returns its exit code."""
    try:
        with warnings.catch_warnings():
            quieten_libraries()
            report = export(parse_arguments(argv))
    except CommandError as error:
        print("error:", one_line(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        message = one_line(f"internal: {type(error).__name__}: {error}")
        print("error:", message, file=sys.stderr)
        return 1
    for warning in report["warnings"]:
        print("warning:", warning, file=sys.stderr)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
