#!/usr/bin/env python3
"""Times the kernels beside ATen's and a copy of the same memory, in turn, and prints medians and ratios.

    bench/kernels.py [--repeats 5] [--json FILE]

Builds build/bench with Google Benchmark (Debian package libbenchmark-dev). In each round ATen's loss
runs twice: as shipped, and with malloc's thresholds raised as pdl-train does for itself, so that its
temporaries are not mapped anew in every call.
"""

import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys

import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
RAISED = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184"


def build():
    """Configures and builds the programs; their output is shown only if that fails."""
    configure = ["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 "-DPDL_BUILD_TESTS=OFF", "-DPDL_BUILD_BENCHMARKS=ON"]
    for command in (configure, ["cmake", "--build", BUILD, "--target", "pdl_kernel_benchmarks"]):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"error: {' '.join(map(str, command))}\n{result.stdout}{result.stderr}")


def measure(benchmark_filter, suffix="", tunables=""):
    """{(name, V, threads): nanoseconds a logit} of one run."""
    command = [BUILD / "bench" / "pdl_kernel_benchmarks", f"--benchmark_filter={benchmark_filter}",
               "--benchmark_format=json"]
    environment = dict(os.environ, GLIBC_TUNABLES=tunables) if tunables else None
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    times = {}
    for entry in json.loads(result.stdout)["benchmarks"]:
        *name, width, threads = [part for part in entry["name"].split("/") if ":" not in part
                                 and part != "manual_time"]
        times["/".join(name) + suffix, int(width), int(threads)] = entry["ns_per_logit"]
    return times


def print_table(times):
    """Medians, and the ratios of the loss to what it is compared with."""
    median = {key: statistics.median(values) for key, values in times.items()}

    def ratio(numerator, denominator, case):
        pairs = zip(times[(numerator, *case)], times[(denominator, *case)])
        return f"{statistics.median(a / b for a, b in pairs):.2f}"

    cases = sorted({key[1:] for key in times})
    names = list(dict.fromkeys(key[0] for key in times))
    header = [f"{width}, {threads}" for width, threads in cases]
    print("| ns a logit; V, threads | " + " | ".join(header) + " |")
    print("|---|" + "---:|" * len(cases))
    for name in names:
        print(f"| {name} | " + " | ".join(f"{median[(name, *case)]:.3f}" for case in cases) + " |")
    for title, numerator, denominator in [
        ("ATen as shipped / ours, float32", "aten_loss/float32", "pdl_loss/float32"),
        ("ATen with raised thresholds / ours, float32", "aten_loss/float32, raised", "pdl_loss/float32"),
        ("ours / copy, float32", "pdl_loss/float32", "copy"),
        ("ATen as shipped / ours, bfloat16", "aten_loss/bfloat16", "pdl_loss/bfloat16"),
        ("ATen with raised thresholds / ours, bfloat16", "aten_loss/bfloat16, raised", "pdl_loss/bfloat16"),
    ]:
        print(f"| **{title}** | " + " | ".join(ratio(numerator, denominator, case) for case in cases) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="rounds; medians are over them")
    parser.add_argument("--json", help="file for the single figures")
    options = parser.parse_args()
    build()
    times = collections.defaultdict(list)
    for round_number in range(1, options.repeats + 1):
        for arguments in (("copy|pdl", "", RAISED), ("aten",), ("aten", ", raised", RAISED)):
            for key, value in measure(*arguments).items():
                times[key].append(value)
        print(f"round {round_number} of {options.repeats}", file=sys.stderr)
    print_table(times)
    print("\nMachine:", machine.cpu_model(), os.cpu_count(), "cores")
    if options.json:
        rows = [[*key, values] for key, values in times.items()]
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
