#!/usr/bin/env python3
"""Storage that fails: a save that does is made up for, and what was there before stays; anything else ends with exit 6."""

import errno
import resource
import shutil
import subprocess

import harness

PREPARED_STEPS = (20, 25)
SAVED_STEP = 30
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EACCES", "short", "EINTR")
# No system call is interrupted for ever.
MANY = {"EINTR": 50}


def settings_of(error, lasting):
    times = MANY.get(error, 0) if lasting == "sticky" else 1
    return {"times": times} if error == "short" else {"times": times, "errno": getattr(errno, error)}


def action_of(error):
    return "short" if error == "short" else "fail"


def one_error_line(errors):
    return sum(line.startswith("error: ") for line in errors.splitlines()) == 1


class StorageErrorTest(harness.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.root / "whole"
        harness.run_to_end(cls.job, cls.whole, "--save_total_limit", 0)

    def test_a_save_that_fails(self):
        prepared = self.root / "prepared"
        harness.copy_at(self.whole, prepared, PREPARED_STEPS)
        before = {step: harness.content(prepared / f"checkpoint-{step}") for step in PREPARED_STEPS}
        operations = self.root / "operations"
        shutil.copytree(prepared, operations)
        found = harness.operations_of_one_save(self.job, operations, SAVED_STEP, self.root / "trace")
        writes = {operation.index for operation in found if operation.kind == "write" and len(operation.path) > 0}
        codes = []

        def check(case):
            error, lasting, index = case.split("/")
            folder, trace = self.root / case.replace("/", "-"), self.root / f"{case.replace('/', '-')}.trace"
            shutil.copytree(prepared, folder)
            settings = {**harness.within_save(SAVED_STEP), "at": index, "trace": trace}
            settings.update(settings_of(error, lasting))
            result = harness.run(self.job, folder, faults=harness.injected(folder, action_of(error), **settings))
            fault = harness.fault_of(trace)
            self.check_outcome(folder, result, before, fault)
            if error == "short":
                assert result.code == 0 and "warning" not in result.errors, f"a short write is no error: {result.errors}"
            codes.append(result.code)
            shutil.rmtree(folder)
            trace.unlink()

        harness.count("operations of one save", len(found))
        self.check_each("errors injected into a save", self.cases(found, writes), check)
        if not harness.options.only:
            self.assertEqual(set(codes), {0, 6}, "an error that lasts must end a run, and others must not")

    def cases(self, operations, writes):
        """A different part of the operations for each error, so that small runs meet them all."""
        cases = []
        chosen = harness.spread(operations, 14)
        for number, error in enumerate(ERRORS):
            for lasting in ("once", "sticky"):
                indices = chosen if harness.options.full else chosen[number % 7 :: 7]
                if error == "short":  # only a write can be short
                    indices = sorted(set(indices) & writes) or sorted(writes)[:1]
                cases += [f"{error}/{lasting}/{index}" for index in indices]
        return cases

    def check_outcome(self, folder, result, before, fault):
        where = f"{fault.kind} {fault.path} {fault.second}".strip()
        assert result.code in (0, 6), f"exit code {result.code} after {where}: {result.errors[-600:]}"
        harness.assert_all_good(folder, at_least=2)
        steps = [harness.step_of(path) for path in harness.checkpoints(folder)]
        if result.code == 0 and fault.kind not in ("unlink", "rmdir"):
            left = [path.name for path in folder.glob(".tmp-*")]
            assert not left, f"left after {where}: {left}"
        for step, content in before.items():
            newer = sum(other > step for other in steps)
            if step in steps:
                assert harness.content(folder / f"checkpoint-{step}") == content, f"checkpoint-{step} has changed"
            else:
                assert newer >= 2, f"checkpoint-{step} is gone, and only {newer} are newer, after {where}"
        if result.code == 6:
            assert one_error_line(result.errors), f"not one error line: {result.errors[-600:]}"
            harness.run_to_end(self.job, folder)
        harness.assert_same(folder, self.whole)
        if result.code == 6:
            left = [path.name for path in folder.glob(".t*")]
            assert not left, f"left: {left}"

    def test_any_other_file(self):
        """Of a whole run: exit 6 with one line, or it did not matter; the next run ends like the undisturbed one."""
        counted = self.root / "counted"
        paths = r"^(\.tmp-)?(config|frequency|metrics|model|summary)\."
        trace = self.root / "counted.trace"
        faults = harness.injected(counted, "count", paths=paths, trace=trace)
        result = harness.run(self.job, counted, faults=faults)
        self.assertEqual(result.code, 0, result.errors)
        found = harness.read_trace(trace)
        self.assertIn("metrics.jsonl", {operation.path for operation in found})
        lines = [operation.index for operation in found if operation.kind == "write" and operation.path == "metrics.jsonl"]

        def check(case):
            error, index = case.split("@")
            folder, own_trace = self.root / case, self.root / f"{case}.trace"
            settings = {"paths": paths, "at": index, "trace": own_trace, **settings_of(error, "once")}
            result = harness.run(self.job, folder, faults=harness.injected(folder, action_of(error), **settings))
            fault = harness.fault_of(own_trace)
            where = f"{fault.kind} {fault.path} {fault.second}".strip()
            if int(index) in lines and error != "EINTR":
                assert result.code == 6, f"exit code {result.code} after a lost line of metrics.jsonl"
            assert result.code in (0, 6), f"exit code {result.code} after {where}: {result.errors[-600:]}"
            if result.code == 6:
                assert one_error_line(result.errors), f"not one error line: {result.errors[-600:]}"
            harness.assert_all_good(folder, at_least=0)
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)
            shutil.rmtree(folder)

        chosen = harness.spread(found, 8)
        cases = [f"{error}@{index}" for i, index in enumerate(chosen) for error in self.errors_of(i)]
        self.check_each("errors injected into other files", cases, check)

    def errors_of(self, number):
        others = [error for error in ERRORS if error != "short"]
        chosen = (number, number + 3) if harness.options.full else (number,)
        return [others[i % len(others)] for i in chosen]

    def test_too_little_space_is_said_before_the_first_step(self):
        for free, expected in ((100_000, 6), (600_000, 6), (1 << 30, 0)):
            folder = self.root / f"free-{free}"
            faults = harness.injected(folder, "count", free=free)
            result = harness.run(self.job, folder, faults=faults)
            self.assertEqual(result.code, expected, f"{free} bytes free: {result.errors[-500:]}")
            if expected == 6:
                self.assertTrue(one_error_line(result.errors), result.errors)
                self.assertFalse(harness.checkpoints(folder))
        harness.count("sizes of free space", 3)

    def test_a_file_beyond_the_limit_of_its_size(self):
        """`ulimit -f` is exit 6 too, not the signal SIGXFSZ, and what was there before verifies."""
        of_model = (self.whole / f"checkpoint-{SAVED_STEP}" / "model.safetensors").stat().st_size
        for what, limit in (("a save", of_model - 1), ("a line of metrics", 6000)):
            with self.subTest(what):
                folder = self.root / f"limit-{limit}"
                harness.copy_at(self.whole, folder, PREPARED_STEPS)
                result = subprocess.run(
                    harness.command(self.job, folder),
                    capture_output=True,  # what is printed does not count
                    text=True,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
                )
                self.assertEqual(result.returncode, 6, result.stderr[-600:])
                self.assertTrue(one_error_line(result.stderr), result.stderr[-600:])
                self.assertIn("File too large", result.stderr)
                harness.assert_all_good(folder, at_least=2)
                harness.run_to_end(self.job, folder)
                harness.assert_same(folder, self.whole)
        harness.count("limits of the size of a file", 2)

    def test_three_failed_saves_in_a_row(self):
        """Each failure gives a warning; the run ends at the third with a message, not before."""
        folder, trace = self.root / "full", self.root / "full.trace"
        faults = harness.injected(folder, "fail", paths=harness.begin_of_save("[0-9]+"), at=1, times=0, errno=errno.ENOSPC, trace=trace)
        result = harness.run(self.job, folder, faults=faults)
        harness.fault_of(trace)
        self.assertEqual(result.code, 6, result.errors)
        self.assertTrue(one_error_line(result.errors), result.errors)
        self.assertIn("No space left on device", result.errors)
        self.assertGreaterEqual(result.errors.count("warning"), 2, result.errors)
        lines = harness.lines(folder)
        last = max(line.get("step", 0) for line in lines)
        self.assertGreaterEqual(last, 3 * harness.SAVE_STEPS, "it did not try three times")
        self.assertEqual(harness.checkpoints(folder), [])
        harness.run_to_end(self.job, folder)
        harness.assert_same(folder, self.whole)
        harness.count("runs whose every save failed", 1)


if __name__ == "__main__":
    harness.main()
