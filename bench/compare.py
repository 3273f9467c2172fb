#!/usr/bin/env python3
"""Measures pdl-train beside PyTorch programs that do the same work.

    bench/compare.py --binary build/release/pdl-train [--shape gpt2-15m] [--json FILE]

The programs run one after the other, in rounds: A B C D, A B C D, and so on. All train the same
parameters on the same sequences with the same number of threads. stdout gets markdown tables of
medians over the rounds, progress goes to stderr. bench/README.md says what each figure is and how
the comparison is kept fair. Exit codes: 0 done, 1 a program failed, 2 usage.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from compare_report import FLOOR, WARM_UP_STEPS, print_report, steady_step, summarise
from measuring import (
    FOLDER, ROOT, RunError, Stopwatch, add_options, call, check_options, exit_code_of, log, running,
    surroundings, write_json,
)
from prepare import SHAPES

# This process imports nothing large: the peak memory of a child is never reported lower than that
# of the process that started it.

# Programs in their order in a round, with the scripts and flags of those in bench/peers.
PEERS = {
    "trainer": ["trainer.py"],
    "loop": ["loop.py"],
    "compiled": ["loop.py", "--compile"],
    "loop bf16": ["loop.py", "--bf16"],
    "compiled bf16": ["loop.py", "--compile", "--bf16"],
}
# Flags of each way of running pdl-train: with the exported file, and with the Hugging Face folder.
PDL_TRAIN = {
    "pdl-train": [],
    "pdl-train alpha=0": ["--pdl_alpha", "0"],
    "pdl-train whole logits": ["--logits_chunk_rows", "1000000"],
    "pdl-train bf16": ["--precision", "bf16"],
}
# Both train what the others do: documents that see each other.
NATIVE = {
    "pdl-train native": ["--isolate_documents", "false"],
    "pdl-train native fp32x3": ["--isolate_documents", "false", "--precision", "fp32x3"],
    "pdl-train native bf16": ["--isolate_documents", "false", "--precision", "bf16"],
}
# The build of --before.
BEFORE = {"pdl-train before": [], "pdl-train before bf16": ["--precision", "bf16"]}
PROGRAMS = [*PEERS, *BEFORE, *PDL_TRAIN, *NATIVE, FLOOR]
DEFAULT_PROGRAMS = ["trainer", "loop", "compiled", "pdl-train", "pdl-train native", FLOOR]
# They need what a TorchScript file does not tell.
NEED_FOLDER = {"compiled", "compiled bf16", *NATIVE, FLOOR}

LEARNING_RATE = 3e-4
PDL_ALPHA = 0.25
PDL_EPSILON = 1.0


# ----------------------------------------------------------------------------------- preparation


def make_environment(options, folder):
    """Environment of every program: the same threads for all, and no network."""
    threads = str(options.threads)
    return {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "HF_HUB_OFFLINE": "1",
        # Empty in the first round, so that its first step shows the whole time of compiling.
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(folder, "compiled"),
    }


def prepare(options, folder, env):
    """Makes model, tokenizer, text and sequences; returns the paths of run.json, of the job and of
    what the PyTorch programs train."""
    needed = options.rows * options.steps
    text = options.text or os.path.join(folder, "train.txt")
    tokenizer, model = options.tokenizer, options.model
    hf_folder = options.model
    command = [options.python, os.path.join(FOLDER, "prepare.py"), folder]
    command += ["--tokens", str((needed + 1) * options.length)]
    if not options.model:
        log(f"making a random {options.shape} model")
        call([*command, "--shape", options.shape], env)
        tokenizer, hf_folder = (os.path.join(folder, name) for name in ("tokenizer.model", "model"))
    elif not options.text:
        call(command, env)
    if os.path.isdir(hf_folder):
        model = os.path.join(folder, "model.pt")
        export = os.path.join(ROOT, "scripts", "export_model.py")
        call([options.python, export, hf_folder, "--output", model, "--verify", "quick"], env)

    config = {
        "model_path": os.path.abspath(model),
        "tokenizer_path": os.path.abspath(tokenizer),
        "train_files": os.path.abspath(text),
        "output_dir": os.path.join(folder, "run"),
        "text_document": "line",
        "max_length": options.length,
        "shuffle": False,
        "pdl_alpha": PDL_ALPHA,
        "pdl_epsilon": PDL_EPSILON,
        "per_device_train_batch_size": options.rows,
        "max_steps": options.steps,
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 1.0,
        "device": "cpu",
        "num_threads": options.threads,
        "save_steps": 0,
        "logging_steps": 1,
        "tensorboard": False,
    }
    config_path = write_json(os.path.join(folder, "run.json"), config)
    lines = call([options.binary, "tokenize", "--config", config_path], env).splitlines()
    rows = [json.loads(line)["ids"] for line in lines]
    full_rows = sum(len(row) == options.length for row in rows)
    if full_rows < needed:
        raise RunError(f"{text}: {full_rows} full rows, but {needed} are needed; fewer --steps?")
    job = {
        "model": os.path.abspath(hf_folder),
        "rows": write_json(os.path.join(folder, "rows.json"), rows),
        "rows_per_step": options.rows,
        "length": options.length,
        "steps": options.steps,
        "learning_rate": LEARNING_RATE,
        "pdl_alpha": PDL_ALPHA,
        "pdl_epsilon": PDL_EPSILON,
    }
    return config_path, write_json(os.path.join(folder, "job.json"), job), job["model"]


# --------------------------------------------------------------------------------------- running


def run_script(arguments, options, job_path, env):
    """Runs a script of bench/peers; returns what it prints and what is measured from outside."""
    script, *flags = arguments
    command = [options.python, os.path.join(FOLDER, "peers", script), job_path, *flags]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        stopwatch = Stopwatch()

        def read_errors():
            errors.seek(0)
            return errors.read()

        with running(command, stdout=output, stderr=errors, env=env) as process:
            measured = stopwatch.finish(process, read_errors)
        output.seek(0)
        result = json.loads(output.read().splitlines()[-1])
    return {**result, **measured, "started": stopwatch.started}


def run_peer(name, options, paths, env):
    """Runs a PyTorch program; all its times are its own, on the clock that is used here too."""
    result = run_script(PEERS[name], options, paths[1], env)
    if result["threads"] != options.threads:
        raise RunError(f"ran with {result['threads']} threads, not {options.threads}")
    starts = [result["begin"], *result["ends"][:-1]]
    return {
        "start_seconds": result["begin"] - result["started"],
        "step_seconds": [end - start for start, end in zip(starts, result["ends"])],
        "run_seconds": result["ends"][-1] - result["begin"],
        "losses": result["losses"],
        "peak_bytes": result["peak_bytes"],
        "others_share": result["others_share"],
    }


def run_pdl_train(name, options, paths, env):
    """Runs pdl-train; a step has its own step_ms, and ends when its line arrives on stderr."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(paths[0])) as output_dir:
        binary = options.before if name in BEFORE else options.binary
        command = [binary, "--config", paths[0], "--output_dir", output_dir]
        if name in NATIVE:
            command += ["--model_path", paths[2]]
        command += {**BEFORE, **PDL_TRAIN, **NATIVE}[name]
        stopwatch = Stopwatch()
        lines, ends = [], []
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        with running(command, **pipes, env=env) as process:
            for line in process.stderr:
                now = time.monotonic()
                lines.append(line)
                if re.search(r" step [\d,]+: loss ", line):
                    ends.append(now)
            process.stderr.close()
            measured = stopwatch.finish(process, lambda: "".join(lines))
        with open(os.path.join(output_dir, "metrics.jsonl"), encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
    steps = [event for event in events if event["event"] == "train"]
    if len(steps) != options.steps or len(ends) != options.steps:
        raise RunError(f"{len(steps)} train lines and {len(ends)} log lines of {options.steps}")
    step_seconds = [step["step_ms"] / 1000 for step in steps]
    # A line may be read late, never early, so each gives a latest time at which training began.
    trained = itertools.accumulate(step_seconds)
    begin = min(end - seconds for end, seconds in zip(ends, trained))
    return {
        "start_seconds": begin - stopwatch.started,
        "step_seconds": step_seconds,
        "run_seconds": ends[-1] - begin,
        "losses": [step["loss"] for step in steps],
        **measured,
    }


def run_floor(name, options, paths, env):
    result = run_script(["matmul_floor.py"], options, paths[1], env)
    return {key: result[key] for key in ("seconds", "operations", "others_share")}


def run_rounds(options, paths, env):
    """All results: a list of rounds, each a dict by program."""
    rounds = []
    for i in range(options.repeats):
        results = {}
        for name in options.only:
            run = run_floor if name == FLOOR else run_peer if name in PEERS else run_pdl_train
            try:
                result = run(name, options, paths, env)
            except RunError as error:
                raise RunError(f"{name}: {error}")
            step = result["seconds"] if name == FLOOR else steady_step(result)
            log(
                f"round {i + 1} of {options.repeats}: {name}: {1000 * step:.4g} ms a step; "
                f"other processes: {result['others_share']:.0%} of the cores"
            )
            results[name] = result
        rounds.append(results)
    return rounds


def compare(options):
    with tempfile.TemporaryDirectory() as folder:
        env = make_environment(options, folder)
        report = {
            "shape": os.path.basename(options.model) if options.model else options.shape,
            "rows": options.rows,
            "length": options.length,
            "steps": options.steps,
            **surroundings(options),
        }
        paths = prepare(options, folder, env)
        rounds = run_rounds(options, paths, env)
    targets = options.rows * (options.length - 1)
    names = [name for name in options.only if name != FLOOR]
    report["programs"] = {name: summarise(rounds, name, targets) for name in names}
    print_report(report, rounds)
    if options.json:
        write_json(options.json, {**report, "rounds": rounds})


# ---------------------------------------------------------------------------------- command line


def parse_arguments():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measures pdl-train beside PyTorch programs."
    )
    add = parser.add_argument
    add_options(add)
    add("--shape", choices=SHAPES, default="gpt2-15m", help="random model (default: gpt2-15m)")
    add("--model", metavar="PATH", help="a TorchScript file or Hugging Face folder, not a shape")
    add("--tokenizer", metavar="FILE", help="tokenizer of --model")
    add("--text", metavar="FILE", help="plain text for --model (default: made-up words)")
    add("--rows", type=int, default=8, help="rows of a step (default: 8)")
    add("--length", type=int, default=256, help="tokens of a row (default: 256)")
    add("--steps", type=int, default=20, help="steps of a run (default: 20)")
    add(
        "--only",
        nargs="+",
        choices=PROGRAMS,
        metavar="NAME",
        help=f"programs, of {', '.join(map(repr, PROGRAMS))} "
        f"(default: {', '.join(DEFAULT_PROGRAMS)})",
    )
    options = parser.parse_args()
    check_arguments(parser, options)
    return options


def check_arguments(parser, options):
    """Ends the program for wrong arguments, and fills in the programs to run."""
    check_options(parser, options)
    if bool(options.model) != bool(options.tokenizer):
        parser.error("--model and --tokenizer need one another")
    if options.text and not options.model:
        parser.error("--text needs --model: a shape's tokenizer knows only made-up words")
    if options.rows < 1:
        parser.error("--rows must be at least 1")
    if options.length < 2:
        parser.error("--length must be at least 2")
    if options.steps <= WARM_UP_STEPS:
        parser.error(f"--steps must be more than {WARM_UP_STEPS}, which are not counted as steady")
    is_folder = not options.model or os.path.isdir(options.model)
    impossible = set() if is_folder else NEED_FOLDER
    if options.only and impossible & set(options.only):
        parser.error(f"{', '.join(sorted(impossible))}: not with a TorchScript file")
    needing = [name for name in options.only or () if name in BEFORE]
    if needing and not options.before:
        parser.error(f"{needing[0]}: needs --before")
    chosen = set(options.only or set(DEFAULT_PROGRAMS) - impossible)
    if options.before:
        chosen.add("pdl-train before")
    options.only = [name for name in PROGRAMS if name in chosen]
    if any(name.startswith("compiled") for name in options.only) and not shutil.which("g++"):
        parser.error("compiled: torch.compile needs g++; install it or name others with --only")


if __name__ == "__main__":
    sys.exit(exit_code_of(compare, parse_arguments()))
