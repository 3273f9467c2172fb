#!/usr/bin/env python3
"""Measures counting and tokenising beside the programs that a user would otherwise write.

    bench/text.py build/text
    bench/counting.py --text build/text [--binary build/release/pdl-train] [--json FILE]

The programs run one after the other, in rounds: A B C, A B C, and so on. stdout gets markdown tables
of medians over the rounds, progress goes to stderr. Programs that tokenize alike must count the same
ids. After the programs come pdl-train alone on texts of three sizes and on further text of one run,
and the two starts of a training job. bench/README.md says what each figure is and how the comparison is kept fair.
Exit codes: 0 done, 1 a program failed or counted other ids, 2 usage.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from counting_files import MEGABYTE, SIZES, Work, text_paths
from counting_report import KINDS, PDL_TRAIN, print_report
from measuring import (
    FOLDER, ROOT, RunError, Stopwatch, add_options, call, check_options, exit_code_of, log, running,
    surroundings, write_json,
)

TIMES = ("wall_seconds", "cpu_seconds")
START_RUNS = 3  # of which the fastest is subtracted

PARTS = [*KINDS, "sizes", "further", "start"]

WARM_UP = 100  # megabytes, after which the rate of further text is measured
PIECE = 10  # megabytes, the least of which it is


@dataclasses.dataclass(frozen=True)
class Program:
    threads: int
    command: Callable  # of tokenizer, text and output: the command line
    slow: bool = False  # runs on the smaller text


# --------------------------------------------------------------------------------------- programs


def pdl_train(binary, threads):
    flags = ["--text_document", "line", "--add_eos", "false", "--num_threads", str(threads)]

    def command(tokenizer, text, output):
        return [binary, "count", "--tokenizer_path", tokenizer, *flags, "--output", output, text]

    return Program(threads, command)


def peer(options, script, threads, slow, prepare=lambda tokenizer: tokenizer):
    path = os.path.join(FOLDER, "peers", script)

    def command(tokenizer, text, output):
        return [options.python, path, prepare(tokenizer), text, output, str(threads)]

    return Program(threads, command, slow)


def programs_of(kind, work):
    """The programs that count with a kind of tokenizer, in their order in a round."""
    options, threads = work.options, work.options.threads
    programs = {}
    for name, binary in ((PDL_TRAIN, options.binary), (f"{PDL_TRAIN} before", options.before)):
        if binary:
            programs[f"{name}, 1 thread"] = pdl_train(binary, 1)
        if binary and threads > 1:
            programs[f"{name}, {threads} threads"] = pdl_train(binary, threads)
    if kind == "bytes":
        programs["tokenizers"] = peer(options, "count_tokenizers.py", threads, False)
        return programs
    library = work.sentencepiece_encode()
    programs["SentencePiece, C++"] = Program(1, lambda *paths: [library, *paths])
    if kind == "bpe":
        programs[f"sentencepiece, Python, {threads} processes"] = peer(
            options, "count_sentencepiece.py", threads, True
        )
        programs["transformers, a loop"] = peer(
            options, "count_transformers.py", 1, True, work.transformers_folder
        )
    return programs


def run_command(command, env, send=None):
    """Runs a program; returns what is measured of it from outside. send() writes to its stdin."""
    with tempfile.TemporaryFile("w+") as errors:

        def read_errors():
            errors.seek(0)
            return errors.read()

        pipes = {"stdin": subprocess.PIPE if send else None, "stdout": subprocess.DEVNULL}
        stopwatch = Stopwatch()
        with running(command, **pipes, stderr=errors, env=env) as process:
            if send:
                # finish() says why a program has ended early.
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    send(process.stdin)
            return stopwatch.finish(process, read_errors)


def run_program(program, tokenizer, text, work):
    """Measures a program on a text, and on one line, whose time is that of the start."""
    output = work.path("counts.json")
    short = program.command(tokenizer, work.line, output)
    starts = [run_command(short, work.env) for _ in range(START_RUNS)]
    result = run_command(program.command(tokenizer, text, output), work.env)
    size = os.path.getsize(text)
    start = {key: min(run[key] for run in starts) for key in TIMES}
    seconds, cpu_seconds = (result[key] - start[key] for key in TIMES)
    if seconds <= 0 or cpu_seconds <= 0:
        message = f"{text}: took no longer for {size} bytes than for one line; take a larger text"
        if not work.options.quick:
            raise RunError(message)
        log(message)
        seconds = cpu_seconds = math.nan
    return {
        **result,
        "start_seconds": start["wall_seconds"],
        "megabytes": size / MEGABYTE,
        "rate": size / seconds / MEGABYTE,
        "cpu_rate": size / cpu_seconds / MEGABYTE,
    }


class Expected:
    """What all programs must count: for each text what the first program counted."""

    def __init__(self):
        self.counts = {}

    def check(self, text, output):
        with open(output, encoding="utf-8") as file:
            counts = json.load(file)["counts"]
        expected = self.counts.setdefault(text, counts)
        length = max(len(counts), len(expected))  # Some programs do not know of ids at the end.
        pairs = zip(*(part + [0] * (length - len(part)) for part in (counts, expected)))
        different = [(i, *pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]]
        if different:
            i, count, other = different[0]
            raise RunError(
                f"{len(different)} ids of {length} have other counts than {PDL_TRAIN} found, "
                f"such as id {i}: {count} times instead of {other}"
            )


def run_rounds(programs, work, tokenizer, text_of):
    """All results: a list of rounds, each a dict by program."""
    expected, rounds = Expected(), []
    slow_texts = {text_of(program) for program in programs.values() if program.slow}
    for text in slow_texts:
        first = next(iter(programs.values()))
        run_command(first.command(tokenizer, text, work.path("counts.json")), work.env)
        expected.check(text, work.path("counts.json"))
    for i in range(work.options.repeats):
        results = {}
        for name, program in programs.items():
            try:
                result = run_program(program, tokenizer, text_of(program), work)
                expected.check(text_of(program), work.path("counts.json"))
            except RunError as error:
                raise RunError(f"{name}: {error}")
            log(
                f"round {i + 1} of {work.options.repeats}: {name}: {result['rate']:.4g} MB/s; "
                f"other processes: {result['others_share']:.0%} of the cores"
            )
            results[name] = result
        rounds.append(results)
    return rounds


def run_kind(kind, work):
    programs = programs_of(kind, work)
    return run_rounds(
        programs,
        work,
        work.tokenizer(kind),
        lambda program: work.slow_text if program.slow else work.text,
    )


def run_sizes(work):
    """Counts texts of different sizes, each as a program of its own."""
    texts = [work.slow_text, work.text]
    if not work.options.quick:
        texts = text_paths(work.options.text)
    program, tokenizer = pdl_train(work.options.binary, work.options.threads), work.tokenizer("bpe")
    rounds = []
    for _ in range(work.options.repeats):
        results = {}
        for text in texts:
            result = run_program(program, tokenizer, text, work)
            log(f"{result['megabytes']:,.0f} MB: {result['rate']:.4g} MB/s")
            results[f"{result['megabytes']:,.0f} MB"] = result
        rounds.append(results)
    return rounds


def run_further(work):
    """How fast a run takes more text after its first, from when it accepts what it is sent."""
    quick = work.options.quick
    text = work.text if quick else text_paths(work.options.text)[-1]
    begin = 0 if quick else WARM_UP // PIECE
    program, tokenizer = pdl_train(work.options.binary, work.options.threads), work.tokenizer("bpe")
    command = program.command(tokenizer, "-", work.path("counts.json"))
    rounds = []
    for i in range(work.options.repeats):
        pieces, measured = stream(command, text, work.env)
        pieces = pieces[begin:]
        first = pieces[:10]
        seconds = {1: statistics.median(first), len(first): sum(first), len(pieces): sum(pieces)}
        results = {}
        for count, taken in seconds.items():
            rate = count * PIECE / taken
            results[f"{count * PIECE} MB"] = {**measured, "rate": rate}
            log(f"round {i + 1} of {work.options.repeats}: {count * PIECE} MB: {rate:.4g} MB/s")
        rounds.append(results)
    return rounds


def stream(command, text, env):
    """Sends a text to a program; returns the seconds of each 10 MB of it, and what was measured."""
    marks = [time.monotonic()]

    def send(stdin):
        with open(text, "rb") as file:
            while chunk := file.read(PIECE * MEGABYTE):
                stdin.write(chunk)
                marks.append(time.monotonic())

    measured = run_command(command, env, send)
    num_pieces = os.path.getsize(text) // (PIECE * MEGABYTE)
    if len(marks) <= num_pieces:
        raise RunError(f"took {len(marks) - 1} of {num_pieces} pieces of {text}")
    seconds = [later - earlier for earlier, later in itertools.pairwise(marks)]
    return seconds[:num_pieces], measured  # without a shorter one at the end


# ------------------------------------------------------------------------------ start of training


def time_to_first_step(job, output_dir, work):
    """Trains one step; returns what is measured, and the time until that step began."""
    options = work.options
    command = [options.binary, "--config", job, "--train_files", work.text, "--text_document", "line"]
    command += ["--output_dir", output_dir, "--max_steps", "1", "--logging_steps", "1"]
    command += ["--num_threads", str(options.threads)]
    stopwatch, lines, arrived = Stopwatch(), [], None
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with running(command, **pipes, env=work.env) as process:
        for line in process.stderr:
            lines.append(line)
            if re.search(r" step 1: loss ", line):
                arrived = time.monotonic()
        process.stderr.close()
        measured = stopwatch.finish(process, lambda: "".join(lines))
    with open(os.path.join(output_dir, "metrics.jsonl"), encoding="utf-8") as file:
        steps = [event for event in map(json.loads, file) if event["event"] == "train"]
    if arrived is None or len(steps) != 1:
        raise RunError(f"{len(steps)} train lines, and {'no' if arrived is None else 'a'} log line of step 1")
    begin = arrived - steps[0]["step_ms"] / 1000
    return {**measured, "first_step_seconds": begin - stopwatch.started}


def run_starts(work):
    """Starts a job twice; of the first start only the tokens that it keeps are there at the second."""
    call([work.options.binary, "init", work.path("job")], work.env)
    job, output_dir = work.path("job/run.json"), work.path("run")
    rounds = []
    for _ in range(work.options.repeats):
        results = {}
        for name in ("first start", "second start"):
            result = time_to_first_step(job, output_dir, work)
            log(f"{name}: {result['first_step_seconds']:.4g} s until the first step")
            results[name] = result
            for entry in os.scandir(output_dir):
                if entry.name != "cache":
                    shutil.rmtree(entry) if entry.is_dir() else os.remove(entry)
        shutil.rmtree(output_dir)
        rounds.append(results)
    return rounds


# ----------------------------------------------------------------------------------- command line


def measure(options):
    report = surroundings(options)
    rounds_of = {}
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Work(options, folder)
        for part in options.only:
            run = {"sizes": run_sizes, "further": run_further, "start": run_starts}.get(part)
            rounds_of[part] = run(work) if run else run_kind(part, work)
    report["parts"] = print_report(report, rounds_of)
    if options.json:
        write_json(options.json, {**report, "rounds": rounds_of})


def parse_arguments():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measures counting and tokenising beside other programs."
    )
    add, build = parser.add_argument, os.path.join(ROOT, "build")
    add_options(add)
    add("--text", default=os.path.join(build, "text"), metavar="DIR",
        help="texts that bench/text.py wrote (default: build/text)")
    add("--megabytes", type=int, default=100,
        help="text of the comparison; slow programs get a tenth, at least 3 (default: 100)")
    add("--sentencepiece", metavar="FILE", help="a SentencePiece BPE model (default: trains one)")
    add("--work", default=os.path.join(build, "counting"), metavar="DIR",
        help="where trained tokenizers are kept (default: build/counting)")
    add("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART",
        help=f"parts, of {', '.join(PARTS)} (default: all)")
    add("--quick", action="store_true", help="one round on 10 MB, to see whether all works")
    options = parser.parse_args()
    check_arguments(parser, options)
    return options


def check_arguments(parser, options):
    """Ends the program for wrong arguments, and fills in what follows from others."""
    if options.quick:
        options.megabytes, options.repeats = 10, 1
    check_options(parser, options)
    if options.sentencepiece and not os.path.isfile(options.sentencepiece):
        parser.error(f"--sentencepiece {options.sentencepiece}: no such file")
    if not os.path.isfile(os.path.join(options.text, f"text-{SIZES[0]}.txt")):
        parser.error(f"--text {options.text}: no text-{SIZES[0]}.txt; make it with bench/text.py DIR")
    options.vocab_size, options.sample_megabytes = (8000, 2) if options.quick else (32000, 20)
    if options.megabytes < 1:
        parser.error("--megabytes must be at least 1")
    for tool in ("g++", "pkg-config"):
        if not shutil.which(tool):
            parser.error(f"{tool} is missing, which builds bench/sentencepiece_encode.cpp")
    for name in ("text", "work", "sentencepiece"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
    options.only = [part for part in PARTS if part in options.only]
    needed = (WARM_UP + PIECE) * MEGABYTE
    largest = text_paths(options.text)[-1]
    if "further" in options.only and not options.quick and os.path.getsize(largest) < needed:
        log(f"further: left out: it needs a text of {needed // MEGABYTE} MB")
        options.only.remove("further")
    os.makedirs(options.work, exist_ok=True)


if __name__ == "__main__":
    sys.exit(exit_code_of(measure, parse_arguments()))
