#!/usr/bin/env python3
"""SIGTERM, SIGINT, SIGHUP, SIGUSR1 and the time limit: saved, the right exit code, and the resumed run ends like the undisturbed."""

import json
import shutil
import signal
import time

import harness

SIGNALS = {"TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP, "USR1": signal.SIGUSR1}
ALL = ("--save_total_limit", 0)


class SignalTest(harness.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # its children inherit it, also where nohup runs this test
        cls.whole = cls.root / "whole"
        begin = time.monotonic()
        harness.run_to_end(cls.job, cls.whole, *ALL)
        cls.seconds = time.monotonic() - begin

    def wait_for_lines(self, process, folder, number):
        """Until metrics.jsonl has so many lines, or the run has ended."""
        path = folder / "metrics.jsonl"
        while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= number):
            time.sleep(0.001)

    def signal_at_random(self, case, folder):
        """Sends the signal of a case: a third of the time while loading, else between two steps."""
        random = harness.generator(case)
        name, _ = case.split("@")
        process = harness.start(self.job, folder, *ALL)
        if random.random() < 1 / 3:
            time.sleep(random.uniform(0, self.seconds * 0.7))
        else:
            self.wait_for_lines(process, folder, random.randint(1, harness.STEPS))
            time.sleep(random.uniform(0, 0.01))
        if process.poll() is None:
            process.send_signal(SIGNALS[name])
        return harness.wait(process)

    def test_random_moments(self):
        number = 100 if harness.options.full else 9
        saved_between = {name: 0 for name in SIGNALS}

        def check(case):
            folder = self.root / case
            name, _ = case.split("@")
            result = self.signal_at_random(case, folder)
            steps = [harness.step_of(path) for path in harness.checkpoints(folder)]
            saved_between[name] += any(step % harness.SAVE_STEPS for step in steps)
            harness.assert_all_good(folder, at_least=0)
            self.check_code(name, result, folder, steps)
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)
            shutil.rmtree(folder)

        cases = [f"{name}@{i}" for name in SIGNALS for i in range(number)]
        self.check_each("signals at random moments", cases, check)
        if not harness.options.only:
            for name, times in saved_between.items():
                self.assertGreater(times, 0, f"SIG{name} was never followed by a checkpoint of its own")

    def check_code(self, name, result, folder, steps):
        if result.code == -SIGNALS[name]:  # before main() there can be no handler
            assert not folder.exists(), "there was no handler, but output_dir was made"
            return
        if result.code == 0:
            harness.assert_same(folder, self.whole)
            return
        assert name != "USR1" and result.code == 128 + SIGNALS[name], f"exit code {result.code}: {result.errors[-500:]}"
        if not (folder / "metrics.jsonl").exists() or len(harness.metrics(folder)) <= 1:
            return  # while it was loading there was nothing to save
        assert steps, "there is no checkpoint"
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["status"] == "interrupted", summary["status"]
        assert summary["exit_code"] == result.code, summary["exit_code"]
        assert summary["steps"] == steps[-1], f"{summary['steps']} steps, but saved at {steps}"
        last = harness.metrics(folder)[-1]["step"]
        assert last == steps[-1], f"lines up to step {last}, but saved at {steps}"

    def test_a_lost_connection_under_nohup(self):
        """nohup ignores SIGHUP, and so does the program then."""
        folder = self.root / "nohup"
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited by the process
        try:
            process = harness.start(self.job, folder, *ALL)
        finally:
            signal.signal(signal.SIGHUP, before)
        self.wait_for_lines(process, folder, 2)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGHUP)
        self.assertEqual(harness.wait(process).code, 0)
        harness.assert_same(folder, self.whole)

    def test_a_signal_after_the_end(self):
        """The signal comes too late to change anything: the exit code is still that of summary.json."""
        number = 50 if harness.options.full else 5

        def check(case):
            folder = self.root / case
            process = harness.start(self.job, folder)
            while process.poll() is None and not (folder / harness.final_model()).exists():
                time.sleep(0.0002)
            time.sleep(harness.generator(case).uniform(0, 0.01))
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            code = harness.wait(process).code
            summary = json.loads((folder / "summary.json").read_text())
            assert code == summary["exit_code"] == 0, f"exit code {code}, and summary.json says {summary['exit_code']}"
            harness.assert_same(folder, self.whole)
            shutil.rmtree(folder)

        self.check_each("signals after the end", [f"late@{i}" for i in range(number)], check)

    def test_two_signals(self):
        """The second ends it at once, whatever the first has begun; what was saved before stays good."""
        number = 50 if harness.options.full else 4

        def check(case):
            random = harness.generator(case)
            folder = self.root / case
            process = harness.start(self.job, folder, *ALL)
            self.wait_for_lines(process, folder, random.randint(2, harness.STEPS - 10))
            sent = [random.choice((signal.SIGTERM, signal.SIGINT)) for _ in range(2)]
            process.send_signal(sent[0])
            time.sleep(random.uniform(0, 0.01))
            if process.poll() is None:
                process.send_signal(sent[1])
            code = harness.wait(process).code
            assert code in {128 + each for each in sent} | {0}, f"exit code {code}"
            harness.assert_all_good(folder, at_least=0)
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)
            shutil.rmtree(folder)

        self.check_each("pairs of signals", [f"pair@{i}" for i in range(number)], check)

    def test_two_signals_while_storage_hangs(self):
        """The first waits for a save that does not end, the second does not."""
        for number in (signal.SIGTERM, signal.SIGINT):
            folder, trace = self.root / f"hangs-{number}", self.root / f"hangs-{number}.trace"
            faults = harness.injected(folder, "stall", at=5, trace=trace, **harness.within_save(10))
            process = harness.start(self.job, folder, *ALL, faults=faults)
            self.addCleanup(process.kill)
            deadline = time.monotonic() + 30
            while not (trace.exists() and b"\tfault\n" in trace.read_bytes()) and time.monotonic() < deadline:
                time.sleep(0.01)
            harness.fault_of(trace)
            process.send_signal(number)
            time.sleep(0.3)
            self.assertIsNone(process.poll(), "the first signal did not wait for the save")
            begin = time.monotonic()
            process.send_signal(number)
            self.assertEqual(harness.wait(process, timeout=20).code, 128 + number)
            self.assertLess(time.monotonic() - begin, 5)
            harness.assert_all_good(folder)
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)
        harness.count("second signals while storage hangs", 2)

    def test_time_limit(self):
        limits = [0.0001, self.seconds * 0.75 / 60, self.seconds * 0.9 / 60]

        def check(case):
            folder = self.root / f"limit-{case}"
            result = harness.run(self.job, folder, *ALL, "--max_minutes", case)
            assert result.code == 0, f"exit code {result.code}: {result.errors[-500:]}"
            summary = json.loads((folder / "summary.json").read_text())
            harness.assert_all_good(folder)
            if summary["status"] != "finished":
                assert summary["status"] == "time_limit", summary["status"]
                assert summary["steps"] == harness.step_of(harness.checkpoints(folder)[-1])
            statuses.append(summary["status"])
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)

        statuses = []
        self.check_each("time limits", [f"{limit:.6f}" for limit in limits], check)
        self.assertIn("time_limit", statuses)


if __name__ == "__main__":
    harness.main()
