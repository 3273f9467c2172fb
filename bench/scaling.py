#!/usr/bin/env python3
"""Measures how the cost of a step of pdl-train grows with its batch.

    bench/scaling.py --binary build/release/pdl-train --batches 2x256 8x256 32x256 64x256

Each batch, rows x tokens of a row, is a run of its own on a Hugging Face folder: a random one of
--shape, or --model. Batches are measured one after the other, in rounds. stdout gets a markdown
table of medians: a step, a token, what attention takes of a step in the mean of all, and peak
resident memory.
Progress goes to stderr. Exit codes: 0 done, 1 a program failed, 2 usage.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from measuring import (
    FOLDER, RunError, Stopwatch, add_options, call, check_options, exit_code_of, log,
    print_surroundings, running, surroundings, write_json,
)
from prepare import SHAPES

MIB = 1 << 20


def batch(text):
    """(rows, length) of "8x256"."""
    rows, length = map(int, text.split("x"))
    if rows < 1 or length < 2:
        raise ValueError(text)
    return rows, length


def prepare(options, folder):
    """Returns the keys of run.json that say what is trained."""
    tokens = max(rows * length for rows, length in options.batches) * (options.steps + 1)
    command = [options.python, os.path.join(FOLDER, "prepare.py"), folder, "--tokens", str(tokens)]
    call(command if options.model else [*command, "--shape", options.shape], os.environ)
    model = os.path.abspath(options.model) if options.model else os.path.join(folder, "model")
    tokenizer = model if options.model else os.path.join(folder, "tokenizer.model")
    return {
        "model_path": model, "tokenizer_path": tokenizer,
        "train_files": os.path.join(folder, "train.txt"), "text_document": "line",
        "isolate_documents": False, "precision": options.precision,
        "gradient_checkpointing": options.gradient_checkpointing, "max_steps": options.steps,
        "num_threads": options.threads, "device": "cpu", "save_steps": 0, "logging_steps": 1,
        "tensorboard": False,
    }  # fmt: skip


def run(options, keys, rows, length, folder):
    """Trains with one batch; returns what is measured."""
    with tempfile.TemporaryDirectory(dir=folder) as run_folder:
        output_dir = os.path.join(run_folder, "run")
        keys = {
            **keys, "max_length": length, "per_device_train_batch_size": rows,
            "output_dir": output_dir,
        }  # fmt: skip
        config = write_json(os.path.join(run_folder, "run.json"), keys)
        command = [options.binary, "--config", config]
        command += ["--profile", os.path.join(run_folder, "profile")]
        stopwatch = Stopwatch()
        with tempfile.TemporaryFile("w+") as errors:

            def read_errors():
                errors.seek(0)
                return errors.read()

            with running(command, stdout=subprocess.DEVNULL, stderr=errors) as process:
                measured = stopwatch.finish(process, read_errors)
        with open(os.path.join(output_dir, "summary.json"), encoding="utf-8") as file:
            profile = json.load(file)["profile"]
        with open(os.path.join(output_dir, "metrics.jsonl"), encoding="utf-8") as file:
            steps = [event for event in map(json.loads, file) if event["event"] == "train"]
    return {
        # The first step also reserves memory.
        "step_ms": statistics.median(step["step_ms"] for step in steps[1:]),
        "attention_ms": 1000 * profile["attention"]["seconds"] / len(steps),
        "peak_bytes": measured["peak_bytes"],
        "others_share": measured["others_share"],
    }


def measure(options):
    results = {shape: [] for shape in options.batches}
    with tempfile.TemporaryDirectory() as folder:
        report = surroundings(options)
        keys = prepare(options, folder)
        for i in range(options.repeats):
            for (rows, length), runs in results.items():
                result = run(options, keys, rows, length, folder)
                log(f"round {i + 1}: {rows} x {length}: {result['step_ms']:.4g} ms a step")
                runs.append(result)
    name = os.path.basename(options.model) if options.model else options.shape
    print(f"{name}, {options.precision}, medians of {options.repeats} rounds:\n")
    print("| batch | tokens | ms a step | us a token | attention, ms | peak MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for (rows, length), runs in results.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        tokens = rows * length
        print(
            f"| {rows} x {length} | {tokens:,} | {median['step_ms']:.1f} "
            f"| {1000 * median['step_ms'] / tokens:.1f} | {median['attention_ms']:.1f} "
            f"| {median['peak_bytes'] / MIB:.0f} |"
        )
    print()
    print_surroundings(report, [run["others_share"] for runs in results.values() for run in runs])
    if options.json:
        runs = {f"{rows}x{length}": runs for (rows, length), runs in results.items()}
        write_json(options.json, {**report, "runs": runs})


def parse_arguments():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measures how the cost of a step grows with its batch."
    )
    add = parser.add_argument
    add_options(add)
    add("--batches", type=batch, nargs="+", metavar="ROWSxLENGTH", required=True)
    add("--shape", choices=SHAPES, default="gpt2-15m", help="random model (default: gpt2-15m)")
    add("--model", metavar="FOLDER", help="a Hugging Face folder, not a shape")
    add("--precision", default="fp32", help="fp32, bf16 or fp32x3 (default: fp32)")
    add("--gradient_checkpointing", action="store_true")
    add("--steps", type=int, default=6, help="steps of a run (default: 6)")
    options = parser.parse_args()
    check_options(parser, options)
    if options.before:
        parser.error("--before: one build is measured here; run it again with the other")
    if options.steps < 2:
        parser.error("--steps must be at least 2")
    return options


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(exit_code_of(measure, arguments))
