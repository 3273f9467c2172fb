#!/usr/bin/env python3
"""Measures `pdl-train generate` beside transformers' generate() with its cache.

    bench/generation.py --model FOLDER --text FILE [--binary build/release/pdl-train]

Both continue the same prompts, the first words of lines of FILE, in float32 and in one batch, as
whole programs in turn, in rounds. A run of one new token gives the time from the start of a program
to the first token of all prompts; a step is what each further one costs. stdout gets a markdown
table of medians, progress goes to stderr. Exit codes: 0 done, 1 a program failed, 2 usage.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from measuring import (
    FOLDER, RunError, Stopwatch, add_options, check_options, exit_code_of, log, print_surroundings,
    print_table, running, surroundings, write_json,
)

MIB = 1 << 20
WORDS = 24  # of a prompt
SAMPLING = ["--temperature", "0.8", "--top_p", "0.9"]
COLUMNS = [
    ("start to first token, s", "first_seconds", "{:.2f}"),
    ("a token of all prompts, ms", "step_ms", "{:.1f}"),
    ("tokens/s", "tokens_per_second", "{:.0f}"),
    ("peak MiB", "peak_mib", "{:.0f}"),
]


def write_prompts(options, folder):
    with open(options.text, encoding="utf-8") as file:
        lines = [line.split() for line in file]
    prompts = [" ".join(line[:WORDS]) for line in lines if len(line) >= WORDS][: options.prompts]
    if len(prompts) < options.prompts:
        raise RunError(f"{options.text} has {len(prompts)} lines of {WORDS} words")
    path = os.path.join(folder, "prompts.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
    return path


def commands(options, prompts, folder, samples):
    """Program -> command of N new tokens."""
    ours = [
        options.binary, "generate", "--model_path", options.model, "--prompts", prompts, "--output",
        os.path.join(folder, "samples.jsonl"), "--ignore_eos", "--batch_size", str(options.prompts),
        "--num_threads", str(options.threads),
    ]  # fmt: skip
    ours += ["--tokenizer_path", options.model] + (SAMPLING if samples else [])
    peer = os.path.join(FOLDER, "peers", "generate.py")
    theirs = [options.python, peer, options.model, prompts, "--threads", str(options.threads)]
    return {"pdl-train": ours, "transformers": theirs + (["--sample"] if samples else [])}


def run(command, tokens):
    stopwatch = Stopwatch()
    with tempfile.TemporaryFile("w+") as errors:

        def read_errors():
            errors.seek(0)
            return errors.read()

        command = [*command, "--max_new_tokens", str(tokens)]
        with running(command, stdout=subprocess.DEVNULL, stderr=errors) as process:
            return stopwatch.finish(process, read_errors)


def summary(runs):
    return {key: statistics.median(figures[key] for figures in runs) for key in runs[0]}


def measure(options):
    report = surroundings(options)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        prompts = write_prompts(options, folder)
        for i in range(options.repeats):
            for way in ("greedy", "sampled"):
                for name, command in commands(options, prompts, folder, way == "sampled").items():
                    first = run(command, 1)
                    whole = run(command, options.tokens)
                    step = (whole["wall_seconds"] - first["wall_seconds"]) / (options.tokens - 1)
                    figures = {
                        "first_seconds": first["wall_seconds"],
                        "step_ms": 1000 * step,
                        "tokens_per_second": options.prompts / step,
                        "peak_mib": whole["peak_bytes"] / MIB,
                        "others_share": whole["others_share"],
                    }
                    log(f"round {i + 1}: {way}: {name}: {figures['step_ms']:.4g} ms a step")
                    results.setdefault(f"{name}, {way}", []).append(figures)
    name = os.path.basename(os.path.normpath(options.model))
    print(f"{name}: {options.prompts} prompts, {options.tokens} new tokens, float32:\n")
    print_table(COLUMNS, {program: summary(runs) for program, runs in results.items()})
    shares = [figures["others_share"] for runs in results.values() for figures in runs]
    print_surroundings(report, shares)
    if options.json:
        write_json(options.json, {**report, "runs": results})


def parse_arguments():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measures generation beside transformers."
    )
    add = parser.add_argument
    add_options(add)
    add("--model", metavar="FOLDER", required=True, help="a Hugging Face folder with its tokenizer")
    add("--text", metavar="FILE", required=True, help="whose lines begin the prompts")
    add("--prompts", type=int, default=16, help="prompts, all in one batch (default: 16)")
    add("--tokens", type=int, default=128, help="new tokens of each (default: 128)")
    options = parser.parse_args()
    check_options(parser, options)
    if options.before:
        parser.error("--before: one build is measured here; run it again with the other")
    if options.prompts < 1 or options.tokens < 2:
        parser.error("--prompts must be at least 1, --tokens at least 2")
    return options


if __name__ == "__main__":
    arguments = parse_arguments()
    sys.exit(exit_code_of(measure, arguments))
