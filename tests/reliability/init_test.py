#!/usr/bin/env python3
"""An init that is killed: the job is whole or not there, and the same command again makes it."""

import os
import signal
import subprocess

import harness
import program

FILES = ("eval.txt", "model.pt", "run.json", "tokenizer.model", "train.txt")


def init(cwd, name, faults=None):
    words = [program.binary(), "init", name, "--preset", "tiny"]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, env={**os.environ, **(faults or {})})


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class InitTest(harness.TestCase):

    def check_kills(self, what, name, is_there):
        """Kills an init of the folder `name` before and after each operation; is_there: it is made before."""

        def folder_for(case):
            outer = self.root / f"{what}-{case}"
            (outer / "demo" if is_there else outer).mkdir(parents=True)
            return outer, outer / "demo"

        whole, job = folder_for("whole")
        cwd = job if name == "." else whole
        trace = self.root / f"{what}.trace"
        done = init(cwd, name, harness.injected(whole, "count", trace=trace))
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = content(job)
        self.assertEqual(tuple(sorted(expected)), FILES)
        found = harness.read_trace(trace)

        def check(case):
            action, index = case.split("@")
            outer, demo = folder_for(case)
            here = demo if name == "." else outer
            own_trace = self.root / f"{what}-{case}.trace"
            done = init(here, name, harness.injected(outer, action, at=index, trace=own_trace))
            fault = harness.fault_of(own_trace)
            where = f"after {action} {fault.kind} {fault.path}"
            assert done.returncode == -signal.SIGKILL, f"exit code {done.returncode} in spite of {where}"
            if is_there:
                assert not (demo / "run.json").exists() or set(FILES) <= set(content(demo).keys()), where
            else:
                assert not demo.exists() or content(demo) == expected, where
            if not demo.exists() or not (demo / "run.json").exists():  # as quickstart.sh asks
                again = init(here, name)
                assert again.returncode == 0, f"{where}: {again.stderr}"
                assert content(demo) == expected, where
                left = [path.name for path in outer.iterdir() if path.name != "demo"]
                assert not left, f"left {where}: {left}"

        cases = [f"{action}@{operation.index}" for operation in found for action in ("kill-before", "kill-after")]
        if not harness.options.full:
            kept = set(harness.spread(found, 4)) | {operation.index for operation in found if operation.kind == "rename"}
            cases = [case for case in cases if int(case.split("@")[1]) in kept][::2 if is_there else 1]
        self.check_each(f"SIGKILLs of an init {what}", cases, check)

    def test_of_a_new_folder(self):
        self.check_kills("of a new folder", "demo", is_there=False)

    def test_of_an_empty_folder(self):
        self.check_kills("of an empty folder", "demo", is_there=True)

    def test_in_the_working_directory(self):
        self.check_kills("in the working directory", ".", is_there=True)


if __name__ == "__main__":
    harness.main()
