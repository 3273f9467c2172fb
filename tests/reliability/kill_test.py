#!/usr/bin/env python3
"""SIGKILL at any moment: the restarted run ends as if nothing had happened, and no checkpoint is ever incomplete."""

import pathlib
import shutil
import signal
import time

import harness

PREPARED_STEPS = (20, 25)
SAVED_STEP = 30


class KillTest(harness.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.root / "whole"
        begin = time.monotonic()
        harness.run_to_end(cls.job, cls.whole, "--save_total_limit", 0)
        cls.seconds = time.monotonic() - begin

    def kill_at_random(self, random, folder):
        """Starts a run and kills it at a moment of its life; true if it was still alive then."""
        process = harness.start(self.job, folder)
        time.sleep(random.uniform(0, 1.1 * self.seconds))
        process.kill()
        result = harness.wait(process)
        assert result.code in (0, -signal.SIGKILL), f"exit code {result.code} without a fault: {result.errors[-500:]}"
        return result.code != 0

    def test_random_moments(self):
        """Chains: the resumed run is killed too, until one reaches the end."""
        kills_a_chain = 10

        def check(case):
            random = harness.generator(case)
            folder = self.root / case
            kills = 0
            while kills < kills_a_chain and not (folder / "summary.json").exists():
                if self.kill_at_random(random, folder):
                    kills += 1
                    harness.assert_all_good(folder, at_least=0)
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)
            harness.assert_all_good(folder)
            left = [path.name for path in folder.glob(".t*")]
            assert not left, f"left: {left}"
            shutil.rmtree(folder)
            total.append(kills)

        wanted = 300 if harness.options.full else 20
        total = []
        chain = 0
        while sum(total) < wanted:  # a chain that ends early has had fewer kills
            names = [f"chain-{chain + i}" for i in range(-(-(wanted - sum(total)) // kills_a_chain))]
            chain += len(names)
            self.check_each("chains of SIGKILLs at random moments", names, check)
            if harness.options.only:
                break
        harness.count("SIGKILLs at random moments", sum(total))

    def test_each_operation_of_a_save(self):
        harness.copy_at(self.whole, self.root / "prepared", PREPARED_STEPS)
        what = "SIGKILLs before and after one operation"
        self.check_operations("prepared", what, lambda found: harness.spread(found, 9), set())

    def test_each_operation_of_a_save_that_replaces(self):
        """A damaged checkpoint of the same step is there, so that the run has gone on from an older one."""
        harness.copy_at(self.whole, self.root / "damaged", (*PREPARED_STEPS, SAVED_STEP))
        state = self.root / "damaged" / f"checkpoint-{SAVED_STEP}" / "trainer_state.json"
        state.write_bytes(state.read_bytes()[:-1])

        def renames_of(found):
            return [each.index for each in found if harness.options.full or each.kind == "rename"]

        what = "SIGKILLs while a damaged checkpoint is replaced"
        self.check_operations("damaged", what, renames_of, {f"checkpoint-{SAVED_STEP}"})

    def check_operations(self, prepared, what, chosen, may_be_bad):
        """Kills runs that go on from the folder `prepared`, at the operations that `chosen` picks from those of a save."""
        counted = self.root / f"{prepared}-counted"
        shutil.copytree(self.root / prepared, counted)
        found = harness.operations_of_one_save(self.job, counted, SAVED_STEP, self.root / f"{prepared}.trace")

        def check(case):
            action, index = case.split("@")
            folder, trace = self.root / f"{prepared}-{case}", self.root / f"{prepared}-{case}.trace"
            shutil.copytree(self.root / prepared, folder)
            settings = {**harness.within_save(SAVED_STEP), "at": index, "trace": trace}
            result = harness.run(self.job, folder, faults=harness.injected(folder, action, **settings))
            fault = harness.fault_of(trace)
            assert result.code == -signal.SIGKILL, f"exit code {result.code} in spite of {action} {fault}"
            verdicts = harness.verify(harness.checkpoints(folder))
            bad = {pathlib.Path(path).name for path, problem in verdicts.items() if problem}
            assert bad <= may_be_bad and len(verdicts) - len(bad) >= 2, f"after {action} {fault}: {verdicts}"
            harness.run_to_end(self.job, folder)
            harness.assert_same(folder, self.whole)
            left = [path.name for path in folder.glob(".t*")]
            assert not left, f"left after {action} {fault.kind} {fault.path}: {left}"
            shutil.rmtree(folder)

        harness.count("operations of one save", len(found))
        cases = [f"{action}@{index}" for index in chosen(found) for action in ("kill-before", "kill-after")]
        self.check_each(what, cases, check)


if __name__ == "__main__":
    harness.main()
