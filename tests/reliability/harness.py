"""The common part of the reliability tests: the small job, its runs, how they are compared, and the counted cases.

Every program here has a small mode, which is one of the tests of a build, and --full. A case has a name, from which and
from --seed its random choices follow; a failure prints the command that runs this case alone.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
from run_folder import lines, metrics  # noqa: E402

options = argparse.Namespace(full=False, seed=1, injector="", only="", native=False)
counts = {}  # what was counted -> number, failed

STEPS = 60
SAVE_STEPS = 5
CHECKPOINT_FILES = ("model.safetensors", "optimizer.safetensors", "trainer_state.json", "MANIFEST.json")
# Paths below output_dir that a save touches: the folder itself, a checkpoint while it is made, whole, and while it is
# removed.
SAVE_PATHS = r"^$|^\.tmp-(checkpoint-)?[0-9]|^checkpoint-|^\.trash-"
TIMEOUT_SECONDS = 120


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--injector", default="")
    parser.add_argument("--native", action="store_true", help="a job with a Hugging Face folder")
    parser.add_argument("--only", default="", help="the name of one case")
    _, rest = parser.parse_known_args(namespace=options)
    sys.argv[1:] = rest
    if options.injector:
        options.injector = os.path.abspath(options.injector)
    print(f"{sys.argv[0]}: seed {options.seed}{', full' if options.full else ''}", file=sys.stderr)
    try:
        program.main()
    finally:
        for name, (number, failed) in counts.items():
            print(f"count\t{name}\t{number}\t{failed}")
        sys.stdout.flush()


def generator(case):
    """The random choices of a case depend on its name and the seed alone."""
    return random.Random(f"{options.seed}/{case}")


class TestCase(unittest.TestCase):
    """Has a folder `root` and a job in it, which its tests share."""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="pdl-reliability-", ignore_cleanup_errors=True)
        cls.addClassCleanup(temporary.cleanup)
        cls.root = pathlib.Path(os.path.realpath(temporary.name))
        cls.job = make_job(cls.root)

    def check_each(self, what, cases, check):
        """Calls check(case) for each name in `cases`, and shows every failure; counts them as `what`.

        `check` raises AssertionError, or returns the failure as text.
        """
        if options.only:
            cases = [case for case in cases if case == options.only]
            if not cases:
                self.skipTest(f"has no case {options.only}")
        self.assertTrue(cases, "there is no case to check")

        def checked(case):
            try:
                return check(case) or ""
            except Exception as problem:  # a case that cannot even be run is a failed one; the others are still run
                return f"{type(problem).__name__}: {problem}"

        workers = (os.cpu_count() or 1) if options.full else 1  # ctest runs the small ones at once
        with concurrent.futures.ThreadPoolExecutor(workers) as executor:
            results = list(executor.map(checked, cases))
        failures = [(case, text) for case, text in zip(cases, results) if text]
        count(what, len(cases), len(failures))
        if failures:
            self.fail("\n" + "\n".join(self.describe(case, text) for case, text in failures[:10]))

    def describe(self, case, text):
        words = [sys.argv[0], "--binary", program.binary(), "--injector", options.injector, "--seed", str(options.seed)]
        words += ["--full"] if options.full else []
        words += ["--native"] if options.native else []
        words += ["-k", self.id().split(".")[-1], "--only", f"'{case}'"]
        return f"{case}: {text}\n  again: {' '.join(words)}"


def count(what, number, failed=0):
    before = counts.get(what, (0, 0))
    counts[what] = (before[0] + number, before[1] + failed)


def make_job(root):
    """An example job whose corpus is so short that 60 steps are more than two epochs."""
    job = root / "job"
    preset = "native" if options.native else "tiny"
    subprocess.run([program.binary(), "init", job, "--preset", preset], check=True, capture_output=True)
    for name, size in (("train.txt", 12_000), ("eval.txt", 2_000)):
        text = (job / name).read_text()
        (job / name).write_text(text[: text.rindex("\n\n", 0, size)] + "\n")
    return job


def command(job, output_dir, *flags):
    settings = {
        "--max_steps": STEPS,
        "--save_steps": SAVE_STEPS,
        "--logging_steps": 1,
        "--eval_steps": 20,
        "--save_total_limit": 2,
        "--tensorboard": "false",
        "--num_threads": 1,
        "--output_dir": output_dir,
    }
    if options.native:  # the batches of the tiny job
        settings.update({"--max_length": 32, "--per_device_train_batch_size": 8})
    settings.update(zip(flags[::2], flags[1::2]))
    words = [program.binary(), "--config", job / "run.json"]
    for flag, value in settings.items():
        words += [flag, value]
    return [str(word) for word in words]


def start(job, output_dir, *flags, faults=None):
    """A run in its own process, with the faults that injected() describes. What it prints goes to a file, so that it
    never waits for a reader."""
    errors = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(
        command(job, output_dir, *flags),
        stdout=subprocess.DEVNULL,
        stderr=errors,
        env={**os.environ, **(faults or {})},
    )
    process.errors = errors
    return process


Result = collections.namedtuple("Result", "code errors")  # exit code, -N for signal N; stderr


def wait(process, timeout=TIMEOUT_SECONDS):
    try:
        process.wait(timeout)
        too_long = False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        too_long = True
    with process.errors as file:
        file.seek(0)
        errors = file.read()
    assert not too_long, f"still running after {timeout} s; stderr ends in {errors[-500:]!r}"
    return Result(process.returncode, errors)


def run(job, output_dir, *flags, faults=None):
    return wait(start(job, output_dir, *flags, faults=faults))


def run_to_end(job, output_dir, *flags):
    result = run(job, output_dir, *flags)
    assert result.code == 0, f"exit code {result.code} instead of 0: {result.errors[-1000:]}"
    return result


def injected(output_dir, action, **settings):
    """The environment for faults in output_dir; fault_injector.c tells the settings, here in lower case."""
    assert options.injector, "name the fault injector with --injector"
    faults = {"LD_PRELOAD": options.injector, "FAULT_DIR": str(output_dir), "FAULT_ACTION": action}
    faults.update({f"FAULT_{name.upper()}": str(value) for name, value in settings.items()})
    return faults


def final_model():
    """The file below output_dir that a run writes last of its model."""
    return "model/model.safetensors" if options.native else "model.safetensors"


def difference(folder, whole):
    """"" if a run that went through faults has ended like the undisturbed one, else what differs."""
    ours, theirs = metrics(folder), metrics(whole)
    for number, (one, other) in enumerate(zip(ours, theirs), 1):
        if one != other:
            return f"line {number} of metrics.jsonl is {one} instead of {other}"
    if len(ours) != len(theirs):
        return f"metrics.jsonl has {len(ours)} lines instead of {len(theirs)}"
    native = ("model/model.safetensors", "model/config.json", "model/tokenizer.model")
    for name in native if options.native else ("model.safetensors", "model.pt"):
        if (folder / name).read_bytes() != (whole / name).read_bytes():
            return f"{name} differs"
    status = json.loads((folder / "summary.json").read_text())["status"]
    return "" if status == "finished" else f"summary.json says {status}"


def assert_same(folder, whole):
    found = difference(folder, whole)
    assert not found, found


def step_of(checkpoint):
    return int(checkpoint.name.split("-")[1])


def checkpoints(folder):
    """The checkpoint folders, oldest first."""
    return sorted(folder.glob("checkpoint-*"), key=step_of)


def content(checkpoint):
    """The bytes of each file of a checkpoint; None for one that is missing."""
    return {
        name: (checkpoint / name).read_bytes() if (checkpoint / name).is_file() else None for name in CHECKPOINT_FILES
    }


def verify(paths):
    """What `pdl-train verify` says of each path: "" for a good checkpoint, else what is wrong."""
    paths = [str(path) for path in paths]
    if not paths:
        return {}
    done = subprocess.run([program.binary(), "verify", *paths], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths), f"{len(lines)} lines for {len(paths)} checkpoints: {done.stderr[-500:]}"
    verdicts = {}
    for path, line in zip(paths, lines):
        good = re.fullmatch(re.escape(path) + r": ok \(step (\d+)\)", line)
        bad = re.fullmatch(re.escape(path) + r": bad: (.+)", line)
        assert good or bad, f"not understood: {line}"
        if good and "checkpoint-" in path:
            assert int(good[1]) == step_of(pathlib.Path(path)), line
        verdicts[path] = "" if good else bad[1]
    assert done.returncode == (5 if any(verdicts.values()) else 0), f"exit code {done.returncode}"
    return verdicts


def assert_all_good(folder, at_least=1):
    """Requires that every visible checkpoint is whole."""
    found = checkpoints(folder)
    assert len(found) >= at_least, f"{len(found)} checkpoints instead of at least {at_least}"
    for path, problem in verify(found).items():
        assert not problem, f"{path} is bad: {problem}"


def copy_at(whole, target, steps):
    """Makes `target` what a run like `whole`, which kept all checkpoints, left after the last of `steps`."""
    target.mkdir()
    for name in ("config.json", "frequency.json", "metrics.jsonl"):
        shutil.copy(whole / name, target)
    shutil.copytree(whole / "cache", target / "cache")
    for step in steps:
        shutil.copytree(whole / f"checkpoint-{step}", target / f"checkpoint-{step}")


Operation = collections.namedtuple("Operation", "index kind path second offset flags outcome data")


def read_trace(path):
    """The operations that the injector recorded."""
    operations = []
    with open(path, "rb") as file:
        while line := file.readline():
            index, kind, name, second, offset, size, flags, outcome = line.decode().rstrip("\n").split("\t")
            data = file.read(int(size))
            operations.append(Operation(int(index), kind, name, second, int(offset), int(flags), outcome, data))
    return operations


def fault_of(trace):
    """The operation that a fault was injected into; without one the test proved nothing."""
    found = [operation for operation in read_trace(trace) if operation.outcome in ("fault", "kill")]
    assert found, "no operation was counted at which a fault was due"
    return found[0]


def without_process(path):
    """The path of an operation without the number of the process in it."""
    return re.sub(r"(\.tmp-.*?-)\d+(-\d+)?(?=/|$)", r"\1PID", path)


def begin_of_save(step):
    """Matches the path of the first operation of a save."""
    return rf"^\.tmp-(checkpoint-)?{step}-"


def within_save(step):
    """Settings of injected() that count the operations of saves from that of `step` on."""
    return {"paths": SAVE_PATHS, "from": begin_of_save(step)}


def operations_of_one_save(job, prepared, step, trace):
    """The operations of the save at `step`, as a run that goes on in `prepared` does them."""
    faults = injected(prepared, "count", trace=trace, **within_save(step))
    result = run(job, prepared, faults=faults)
    assert result.code == 0, result.errors[-1000:]
    operations = read_trace(trace)
    following = re.compile(begin_of_save(step + SAVE_STEPS))
    ends = [i for i, operation in enumerate(operations) if following.match(operation.path)]
    assert ends and ends[0] > 0, "no operation of a save was counted"
    return operations[: ends[0]]


def spread(operations, number):
    """Indices of about `number` operations, such that each kind on each kind of path is met."""
    if options.full:
        return [operation.index for operation in operations]
    first = {}
    for operation in operations:
        first.setdefault((operation.kind, without_process(operation.path)), operation.index)
    chosen = set(first.values())
    if len(chosen) > number:  # keep every kind, and an even part of the rest
        kinds = {}
        for operation in operations:
            kinds.setdefault(operation.kind, operation.index)
        rest = sorted(chosen - set(kinds.values()))
        wanted = max(number - len(kinds), 1)
        chosen = set(kinds.values()) | set(rest[:: max(len(rest) // wanted, 1)])
    return sorted(chosen)
