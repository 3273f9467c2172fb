"""Runs the program where it must refuse, and holds what it does to the contract of docs/runs.md, "Exit codes"."""

import concurrent.futures
import dataclasses
import os
import pathlib
import queue
import re
import signal
import subprocess
import tempfile
import threading
import unicodedata

import program

CONFIG, DATA, MODEL, CHECKPOINT, STORAGE, OUT_OF_MEMORY = 2, 3, 4, 5, 6, 10

# Processes at a time; most of what a refusal takes is the loading of LibTorch.
WORKERS = int(os.environ.get("PDL_TEST_WORKERS", "2"))

HANGS_AFTER_S = 60  # of any clock: the machine may be busy with something else
MAX_CPU_S = 5
MAX_MESSAGE = 300
MAX_LIST_LINE = 1000  # a line of a list of config errors
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (info|warning): ?|  ")
FORBIDDEN = ("terminate called", "Traceback", "frame #", "C++ exception", "Aborted", "std::")


@dataclasses.dataclass
class Outcome:
    code: int  # negative: the signal; None: it hung
    output: bytes
    message: bytes  # on stderr
    cpu_s: float
    peak_bytes: int
    changes: list  # paths below the folder that were made, changed or removed


def snapshot(folder):
    """Every entry below `folder` with what changes when it is written to."""
    entries = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(root, name)
            status = os.lstat(path)
            # What is in a folder has entries of its own; a lock that came and went leaves only its time.
            is_folder = name in folders
            entries[path] = (status.st_mode,) if is_folder else (status.st_mode, status.st_size, status.st_mtime_ns)
    return entries


class _Process:
    """A start of the program by itself."""

    def __init__(self, arguments, folder, output, message, limit):
        with open(output, "wb") as stdout, open(message, "wb") as stderr:
            self._process = subprocess.Popen(
                [program.binary(), *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                preexec_fn=limit,
            )  # fmt: skip
        self.pid = self._process.pid

    def wait(self):
        """Wait status, seconds of CPU, bytes of memory at the most."""
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10


def _run(arguments, folder, output, limit):
    with tempfile.TemporaryDirectory() as own:
        message = os.path.join(own, "message")
        output = output or os.path.join(own, "output")
        if program.starter() and limit is None:
            process = program.Fork(arguments, folder, output, message)
        else:
            process = _Process(arguments, folder, output, message, limit)
        hung = threading.Event()
        timer = threading.Timer(HANGS_AFTER_S, lambda: (hung.set(), os.kill(process.pid, signal.SIGKILL)))
        timer.start()
        status, cpu_s, peak_bytes = process.wait()
        timer.cancel()
        code = None if hung.is_set() else os.waitstatus_to_exitcode(status)
        written = pathlib.Path(output).read_bytes() if os.path.isfile(output) else b""
        return Outcome(code, written, pathlib.Path(message).read_bytes(), cpu_s, peak_bytes, [])


def observe(arguments, folder, *, output=None, limit=None):
    """Runs the program in `folder`; new entries are removed. `output` is a file for its stdout; `limit` is called in the
    process before it."""
    before = snapshot(folder)
    outcome = _run(arguments, folder, output, limit)
    after = snapshot(folder)
    outcome.changes = sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
    for path in sorted(after.keys() - before.keys(), reverse=True):
        pathlib.Path(path).rmdir() if os.path.isdir(path) else os.unlink(path)
    return outcome


def _problems_of_lines(text, code):
    lines = text.split("\n")
    errors = [line for line in lines if line.startswith("error:")]
    if len(errors) != 1:
        yield f"{len(errors)} lines begin with error:"
        return
    if len(errors[0]) > MAX_MESSAGE:
        yield f"the error has {len(errors[0])} characters"
    rest = [line for line in lines if line and line != errors[0]]
    for line in rest:
        if not LOG_LINE.match(line) and not (code == CONFIG and line.startswith("  ")):
            yield f"unexpected line {line[:200]!r}"
        if len(line) > MAX_LIST_LINE:
            yield f"a line of {len(line)} characters"


def problems_of(outcome, codes, *, max_bytes=None):
    """What is wrong with a refusal that may end with one of `codes`; [] if nothing is."""
    if outcome.code is None:
        return [f"still running after {HANGS_AFTER_S} s"]
    problems = []
    if outcome.code not in codes:
        problems.append(f"exit code {outcome.code}, not {' or '.join(map(str, codes))}")
    try:
        text = outcome.message.decode()
    except UnicodeDecodeError as error:
        return [*problems, f"stderr is not UTF-8: {error}"]
    problems += _problems_of_lines(text, outcome.code)
    problems += [f"{phrase!r} in the message" for phrase in FORBIDDEN if phrase in text]
    control = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
    if control:
        problems.append(f"control characters {control}")
    if outcome.output:
        problems.append(f"output {outcome.output[:100]!r}")
    if outcome.changes:
        problems.append(f"created or changed {outcome.changes}")
    if outcome.cpu_s > MAX_CPU_S:
        problems.append(f"took {outcome.cpu_s:.1f} s")
    if max_bytes is not None and outcome.peak_bytes > max_bytes:
        problems.append(f"took {outcome.peak_bytes >> 20} MiB")
    return problems


def observe_all(rows, folders, observe_one=None):
    """The outcomes of the rows (name, arguments, …), each in one of `folders`, which is for one start at a time."""
    free = queue.SimpleQueue()
    for folder in folders:
        free.put(folder)

    def in_a_folder(row):
        folder = free.get()
        try:
            return observe_one(row, folder) if observe_one else observe(row[1], folder)
        finally:
            free.put(folder)

    with concurrent.futures.ThreadPoolExecutor(len(folders)) as pool:
        return list(pool.map(in_a_folder, rows))
