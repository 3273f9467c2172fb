#!/usr/bin/env python3
"""Of many processes on one output_dir exactly one trains."""

import signal
import time

import harness

TOO_LONG = 1_000_000  # steps: the first must not be done before the last has come


class LockTest(harness.TestCase):

    def test_concurrent_starts(self):
        number = 50 if harness.options.full else 6
        folder = self.root / "run"
        flags = ("--max_steps", TOO_LONG, "--save_steps", 200, "--logging_steps", 100)
        processes = [harness.start(self.job, folder, *flags) for _ in range(number)]
        for process in processes:
            self.addCleanup(process.kill)
        deadline = time.monotonic() + harness.TIMEOUT_SECONDS
        while sum(process.poll() is None for process in processes) > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        running = [process for process in processes if process.poll() is None]
        self.assertEqual(len(running), 1, [process.returncode for process in processes])
        for process in processes:
            if process is not running[0]:
                result = harness.wait(process)
                self.assertEqual(result.code, 2, result.errors)
                lines = [line for line in result.errors.splitlines() if line.startswith("error: ")]
                self.assertEqual(len(lines), 1, result.errors)
                self.assertIn(str(folder), lines[0])
        while not harness.checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        running[0].send_signal(signal.SIGTERM)
        self.assertEqual(harness.wait(running[0]).code, 143)
        harness.assert_all_good(folder)
        starts = sum(line["event"] == "start" for line in harness.metrics(folder))
        self.assertEqual(starts, 1)
        harness.count("concurrent starts on one folder", number)

    def test_a_lock_of_a_dead_process_is_free(self):
        folder = self.root / "dead"
        process = harness.start(self.job, folder, "--max_steps", TOO_LONG)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + harness.TIMEOUT_SECONDS
        while not harness.checkpoints(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(harness.run(self.job, folder).code, 2)
        process.kill()
        harness.wait(process)
        step = harness.step_of(harness.checkpoints(folder)[-1])
        result = harness.run(self.job, folder, "--max_steps", step + harness.SAVE_STEPS)
        self.assertEqual(result.code, 0, result.errors)
        harness.assert_all_good(folder)


if __name__ == "__main__":
    harness.main()
