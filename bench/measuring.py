"""The common part of the programs that measure others: running them, options, tables."""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import machine

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)


class RunError(Exception):
    """A program failed or did not do what it should."""


# --------------------------------------------------------------------------------------- running


def call(command, env):
    """Runs a program and returns its stdout; raises RunError with the end of its stderr."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    except OSError as error:
        raise RunError(str(error))
    if done.returncode != 0:
        raise RunError(f"{' '.join(command)}: exit code {done.returncode}\n{tail(done.stderr)}")
    return done.stdout


def tail(text):
    return "\n".join(text.strip().splitlines()[-8:])


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=None if isinstance(value, list) else 1)
    return path


def log(message):
    print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def running(command, **arguments):
    """Starts a process, which does not outlive this program if it is interrupted."""
    process = subprocess.Popen(command, **arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()


class Stopwatch:
    """What is measured of a process from outside, from before its start to its end."""

    def __init__(self):
        self.started = time.monotonic()
        self.busy = machine.busy_seconds()
        self.own = time.process_time()

    def finish(self, process, read_errors):
        """Waits for the process; returns its times, peak resident memory, and how much others ran."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RunError(f"exit code {process.returncode}\n{tail(read_errors())}")
        wall_seconds = time.monotonic() - self.started
        cpu_seconds = usage.ru_utime + usage.ru_stime
        own_seconds = time.process_time() - self.own
        others = machine.busy_seconds() - self.busy - cpu_seconds - own_seconds
        return {
            "wall_seconds": wall_seconds,
            "cpu_seconds": cpu_seconds,
            "peak_bytes": usage.ru_maxrss * 1024,  # Linux counts in KiB.
            "others_share": max(0.0, others / (wall_seconds * os.cpu_count())),
        }


def exit_code_of(work, options):
    """Calls work(options) with a Python that has the packages; 0 or, with a message, 1."""
    # As an exception, so that processes are ended and temporary folders removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if not options.python:
            subprocess.run([os.path.join(FOLDER, "setup.sh")], check=True)
            options.python = os.path.join(FOLDER, ".venv", "bin", "python")
        work(options)
    except (RunError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


# --------------------------------------------------------------------------------------- options


def add_options(add):
    """Adds the options that all have; add() is a parser's add_argument()."""
    binary = os.path.join(ROOT, "build", "release", "pdl-train")
    add("--binary", default=binary, metavar="PATH",
        help="the pdl-train program (default: build/release/pdl-train)")
    add("--before", metavar="PATH",
        help="another build of pdl-train, measured in turn with --binary as 'pdl-train before'")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    add("--repeats", type=int, default=5, help="rounds (default: 5)")
    add("--python", metavar="PATH", help="Python with the packages (default: makes bench/.venv)")
    add("--json", metavar="FILE", help="write all figures of all rounds to FILE")


def check_options(parser, options):
    """Ends the program for wrong ones of these, and makes the paths of the binaries absolute."""
    for name in ("binary", "before"):
        path = getattr(options, name)
        if path is None:
            continue
        if not (os.path.isfile(path) and os.access(path, os.X_OK)):
            parser.error(f"--{name} {path}: no such program")
        setattr(options, name, os.path.abspath(path))
    for name in ("threads", "repeats"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")


# ---------------------------------------------------------------------------------------- report


def surroundings(options):
    """The part of a report that says where it was made."""
    return {
        "threads": options.threads,
        "repeats": options.repeats,
        "machine": machine.describe_machine(),
        "versions": machine.versions(options.python, options.binary),
    }


def print_table(columns, summaries):
    """A column is its heading, the key of a summary, and a format."""
    print("| program | " + " | ".join(heading for heading, _, _ in columns) + " |")
    print("|---" + "|---:" * len(columns) + "|")
    for name, summary in summaries.items():
        cells = [form.format(summary[key]) if key in summary else "" for _, key, form in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


def print_surroundings(report, shares):
    """Prints how much of the cores others used in each run, the machine and the versions."""
    print(
        f"Other processes used {statistics.median(shares):.0%} of the cores in the median run, "
        f"{max(shares):.0%} in the worst.\n"
    )
    described = report["machine"]
    caches = ", ".join(f"{name} {size}" for name, size in described["caches"].items())
    print(
        f"Machine: {described['cpu']}, {described['cores']} cores, {caches}, "
        f"{described['memory_gib']} GiB, {described['system']}; "
        f"load at start {described['load_at_start']:.2f}\n"
    )
    print("Versions: " + ", ".join(f"{name} {text}" for name, text in report["versions"].items()))
