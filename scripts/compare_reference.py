#!/usr/bin/env python3
"""Compares runs of pdl-train with the results of an independent trainer.

    scripts/compare_reference.py FOLDER --binary build/release/pdl-train [--output_dir DIR]

FOLDER holds jobs NAME.run.json and, beside each, the expected results NAME.curve.json as printed
by tests/golden/reference_trainer.py. Every job is run with its own output folder, and its
metrics.jsonl and frequency.json are compared with the curve. With --output_dir the runs stay in
DIR/NAME, which must be empty or absent; otherwise they are deleted.

stdout gets a table: the worst relative difference of each quantity in each job and the largest
one that is accepted. Exit codes: 0 everything agrees, 1 something differs or is missing, 2 usage.
"""

import argparse
import glob
import json
import math
import os
import subprocess
import sys
import tempfile

CONFIG_SUFFIX = ".run.json"
CURVE_SUFFIX = ".curve.json"

# A reference takes seconds; a job that takes this long hangs.
TIMEOUT_SECONDS = 1800

# Largest accepted relative difference of each quantity. Sums of float32 numbers depend on their
# order, those of gradients more than those of losses.
STEP_BOUNDS = {
    "loss": 1e-5,
    "ce": 1e-5,
    "ppl": 1e-5,
    "grad_norm": 1e-4,
    "learning_rate": 0.0,
    "num_tokens": 0.0,
    "weight_sum": 1e-5,
    "n_eff": 1e-5,
}
EVAL_BOUNDS = {
    "eval_loss": 1e-5,
    "eval_ce": 1e-5,
    "eval_ppl": 1e-5,
    "eval_accuracy": 1e-5,
    "eval_tokens": 0.0,
}
BAND_BOUNDS = {"ce": 1e-5, "accuracy": 1e-5, "predicted_mass": 1e-5, "tokens": 0.0}
TABLE_BOUNDS = {"steps": 0.0, "frequency total": 0.0, "frequency counts": 0.0}


class JobError(Exception):
    """A run or a curve is missing or cannot be compared."""


# ------------------------------------------------------------------------------------- reading


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise JobError(f"{path}: {error}")


def read_events(path):
    """Objects of metrics.jsonl, as lists by event."""
    events = {"start": [], "train": [], "eval": [], "end": []}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                events.setdefault(record["event"], []).append(record)
    except (OSError, ValueError, KeyError) as error:
        raise JobError(f"{path}: {error!r}")
    return events


def run_job(binary, config_path, output_dir):
    """Runs a job that logs every step; raises JobError if it fails."""
    command = [binary, "--config", config_path, "--output_dir", output_dir]
    command += ["--resume_from_checkpoint", "never", "--logging_steps", "1"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobError(str(error))
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise JobError(f"exit code {done.returncode}: {last[0]}")


# ----------------------------------------------------------------------------------- comparing


def difference(actual, expected):
    """Relative difference of two numbers or nulls; infinite if they are not comparable."""
    if actual == expected:
        return 0.0
    numbers = isinstance(actual, (int, float)) and isinstance(expected, (int, float))
    if not numbers or not math.isfinite(actual) or not math.isfinite(expected):
        return math.inf
    return abs(actual - expected) / max(abs(actual), abs(expected))


def worst_differences(pairs, keys):
    """Largest difference of each key over pairs of (actual, expected) records."""
    return {
        key: max(difference(actual.get(key), expected[key]) for actual, expected in pairs)
        for key in keys
    }


def compare_steps(lines, steps):
    """Differences of the train lines of metrics.jsonl from the steps of a curve."""
    expected_steps = [step["step"] for step in steps]
    if [line.get("step") for line in lines] != expected_steps:
        raise JobError(f"metrics.jsonl has {len(lines)} train lines, not steps 1 to {len(steps)}")
    return worst_differences(list(zip(lines, steps)), STEP_BOUNDS)


def compare_evaluation(lines, last_step, expected):
    """Differences of the last evaluation, in all and over its bands."""
    if expected is None:
        return {}
    if not lines or lines[-1].get("step") != last_step:
        raise JobError(f"metrics.jsonl has no evaluation after step {last_step}")
    actual = lines[-1]
    result = worst_differences([(actual, expected)], EVAL_BOUNDS)
    bands = actual.get("eval_bands") or {}
    if sorted(bands) != sorted(expected["eval_bands"]):
        raise JobError(f"eval_bands are {sorted(bands)}")
    pairs = [(bands[name], expected["eval_bands"][name]) for name in bands]
    for key, value in worst_differences(pairs, BAND_BOUNDS).items():
        result[f"band {key}"] = value
    return result


def compare_table(table, counts):
    """Differences of frequency.json from the counts of a curve."""
    actual = table.get("counts") or []
    if len(actual) != len(counts):
        raise JobError(f"frequency.json has {len(actual)} counts, not {len(counts)}")
    return {
        "frequency total": difference(table.get("total"), sum(counts)),
        "frequency counts": max(map(difference, actual, counts)),
    }


def compare_job(binary, folder, name, output_dir):
    """Runs one job; returns the worst difference of each quantity."""
    curve = read_json(os.path.join(folder, name + CURVE_SUFFIX))
    run_job(binary, os.path.join(folder, name + CONFIG_SUFFIX), output_dir)
    events = read_events(os.path.join(output_dir, "metrics.jsonl"))
    table = read_json(os.path.join(output_dir, "frequency.json"))
    if len(events["start"]) != 1 or len(events["end"]) != 1:
        raise JobError("metrics.jsonl does not have one start line and one end line")
    try:
        steps = curve["steps"]
        return {
            "steps": difference(events["start"][0].get("steps"), len(steps)),
            **compare_steps(events["train"], steps),
            **compare_evaluation(events["eval"], steps[-1]["step"], curve["eval"]),
            **compare_table(table, curve["counts"]),
        }
    except (KeyError, IndexError) as error:
        raise JobError(f"{name}{CURVE_SUFFIX} is not complete: {error!r}")


# ----------------------------------------------------------------------------------- reporting


def all_bounds():
    """Largest accepted difference of each row of the table, in order."""
    bands = {f"band {key}": bound for key, bound in BAND_BOUNDS.items()}
    return {**STEP_BOUNDS, **EVAL_BOUNDS, **bands, **TABLE_BOUNDS}


def print_table(results):
    """Prints the differences; returns whether all are within their bounds.

    Args:
      results: differences by quantity, by job; those of a failed job are empty.
    """
    bounds = all_bounds()
    widths = [max(len(name), 9) for name in results]
    first = max(map(len, bounds))
    header = "  ".join(name.rjust(width) for name, width in zip(results, widths))
    print(f"{'':{first}}  {header}  {'accepted':>9}")
    passed = True
    for quantity, bound in bounds.items():
        cells = []
        for differences, width in zip(results.values(), widths):
            value = differences.get(quantity)
            cell = "-" if value is None else f"{value:.1e}" if value else "0"
            if value is not None and not value <= bound:
                cell = "!" + cell
                passed = False
            cells.append(cell.rjust(width))
        accepted = f"{bound:.0e}" if bound else "exact"
        print(f"{quantity:{first}}  {'  '.join(cells)}  {accepted:>9}")
    return passed


def find_jobs(folder):
    """Names of all jobs of a folder, sorted; one that lacks a part is among them."""
    names = set()
    for suffix in (CONFIG_SUFFIX, CURVE_SUFFIX):
        for path in glob.glob(os.path.join(glob.escape(folder), "*" + suffix)):
            names.add(os.path.basename(path).removesuffix(suffix))
    return sorted(names)


def compare_folder(options):
    """Runs and compares all jobs of a folder; returns the exit code."""
    results, failed = {}, False
    with tempfile.TemporaryDirectory() as temporary:
        base = os.path.abspath(options.output_dir or temporary)
        for name in find_jobs(options.folder):
            try:
                output_dir = os.path.join(base, name)
                results[name] = compare_job(options.binary, options.folder, name, output_dir)
            except JobError as error:
                results[name], failed = {}, True
                print(f"error: {name}: {error}", file=sys.stderr)
    if not results:
        print(f"error: {options.folder}: there are no jobs in it", file=sys.stderr)
        return 1
    passed = print_table(results)
    return 0 if passed and not failed else 1


def main():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compares runs of pdl-train with reference results."
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER", help="folder of NAME.run.json and NAME.curve.json")
    add("--binary", required=True, metavar="PATH", help="the pdl-train program")
    add("--output_dir", metavar="DIR", help="keep the runs in DIR/NAME")
    options = parser.parse_args()
    if not os.path.isdir(options.folder):
        parser.error(f"{options.folder}: no such folder")
    if not (os.path.isfile(options.binary) and os.access(options.binary, os.X_OK)):
        parser.error(f"--binary {options.binary}: no such program")
    options.binary = os.path.abspath(options.binary)
    return compare_folder(options)


if __name__ == "__main__":
    sys.exit(main())
