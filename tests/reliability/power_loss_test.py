#!/usr/bin/env python3
"""A power cut at any operation of a save leaves a good checkpoint, and no bad one that passes for good.

The states are made from the trace of a whole run, see crash_states.py.
"""

import collections
import re
import shutil

import crash_states
import harness

SAVED_STEP = 30
# The cache is not needed; its files have no name while they are written, so that no trace shows their content.
IGNORED = ("cache",)
BATCH = 100


class PowerLossTest(harness.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.root / "whole"
        trace = cls.root / "trace"
        result = harness.run(cls.job, cls.whole, faults=harness.injected(cls.whole, "record", trace=trace))
        assert result.code == 0, result.errors
        cls.operations = harness.read_trace(trace)

    def setUp(self):
        self.begin = self.first_operation_on(harness.begin_of_save(SAVED_STEP))
        self.end = self.first_operation_on(harness.begin_of_save(SAVED_STEP + harness.SAVE_STEPS))
        self.truth = self.true_checkpoints()

    def first_operation_on(self, expression):
        found = [i for i, operation in enumerate(self.operations) if re.match(expression, operation.path)]
        self.assertTrue(found, f"no operation on {expression} was counted")
        return found[0]

    def true_checkpoints(self):
        """name -> files of each checkpoint when it got its name, whatever has become of it later."""
        system = crash_states.FileSystem(IGNORED)
        truth = {}
        for operation in self.operations:
            system.replay(operation)
            name = operation.second
            if operation.kind == "rename" and re.fullmatch(r"checkpoint-\d+", name) and operation.outcome == "ok":
                truth[name] = crash_states.tree(system.find(name))
                self.assertEqual(set(truth[name]), set(harness.CHECKPOINT_FILES), name)
        self.assertIn(f"checkpoint-{SAVED_STEP}", truth)
        return truth

    def states(self, number, honours_fsync=True):
        """Name, prefix and tree of `number` states: half of them spread evenly over the operations of the save, half over
        those that are no writes, of which there are few."""
        even = range(self.begin, self.end)
        changes = [i + 1 for i in even if self.operations[i].kind != "write"]
        prefixes = collections.defaultdict(list)
        for i in range(number):
            places = changes if i % 2 else even
            prefixes[places[i * len(places) // number]].append(f"state-{i}")
        system = crash_states.FileSystem(IGNORED, honours_fsync)
        replayed = 0
        for prefix, names in sorted(prefixes.items()):
            for operation in self.operations[replayed:prefix]:
                system.replay(operation)
            replayed = prefix
            for name in names:
                yield name, prefix, crash_states.PowerCut(harness.generator(name)).tree(system.root)

    def test_the_trace_is_complete(self):
        """Replayed to its end it gives the folder as it is; else the states would not be those of this program."""
        system = crash_states.FileSystem(IGNORED)
        for operation in self.operations:
            system.replay(operation)
        model = crash_states.tree(system.root)
        unseen = ("train.log",)  # written by stdio
        actual = {}
        for path in sorted(self.whole.rglob("*")):
            name = str(path.relative_to(self.whole))
            if name.split("/")[0] not in (*IGNORED, *unseen, ".lock"):
                actual[name] = path.read_bytes() if path.is_file() else None
        self.assertEqual(sorted(name for name in model if name != ".lock"), sorted(actual))
        for name, content in actual.items():
            self.assertEqual(model[name], content, name)
        harness.count("operations in the trace", len(self.operations))

    def find_problems(self, batch):
        """state -> what is wrong: no good checkpoint, or a false one that passes for good."""
        folder = self.root / "states"
        for name, _, tree in batch:
            crash_states.write_tree(tree, folder / name)
        found = {name: harness.checkpoints(folder / name) for name, _, _ in batch}
        verdicts = harness.verify([path for paths in found.values() for path in paths])
        problems = {}
        for name, prefix, _ in batch:
            good = [path for path in found[name] if not verdicts[str(path)]]
            false = [path.name for path in good if harness.content(path) != self.truth.get(path.name)]
            where = f"after operation {prefix} of the trace ({self.operations[prefix - 1][1:4]})"
            if false:
                problems[name] = f"{false} passes for good {where}"
            elif not good:
                problems[name] = f"no good checkpoint {where}: {sorted(p.name for p in found[name])}"
            else:
                self.outcomes["the newer" if any(harness.step_of(p) == SAVED_STEP for p in good) else "the older"] += 1
            self.outcomes["damaged ones seen"] += len(found[name]) > len(good)
        shutil.rmtree(folder, ignore_errors=True)
        return problems

    def test_each_state_has_a_good_checkpoint(self):
        number = 2400 if harness.options.full else 100
        self.outcomes = collections.Counter()
        problems, resumable, batch = {}, {}, []
        every = number // (120 if harness.options.full else 5)
        for i, (name, prefix, tree) in enumerate(self.states(number)):
            if harness.options.only in ("", name):
                batch.append((name, prefix, tree))
                if i % every == 0 or harness.options.only:
                    resumable[name] = tree
            if len(batch) == BATCH:
                problems.update(self.find_problems(batch))
                batch = []
        problems.update(self.find_problems(batch))
        names = [f"state-{i}" for i in range(number)]
        self.check_each("states after a power cut", names, problems.get)
        what = "states after a power cut that were resumed"
        self.check_each(what, list(resumable), lambda name: self.resume(name, resumable))
        if not harness.options.only:
            for outcome in ("the newer", "the older"):
                self.assertGreater(self.outcomes[outcome], 0, f"no state was left with {outcome} checkpoint")
                harness.count(f"states after a power cut with {outcome} checkpoint", self.outcomes[outcome])
            harness.count("states after a power cut with a damaged one beside it", self.outcomes["damaged ones seen"])

    def resume(self, name, trees):
        folder = self.root / f"resumed-{name}"
        crash_states.write_tree(trees[name], folder)
        harness.run_to_end(self.job, folder)
        harness.assert_same(folder, self.whole)
        harness.assert_all_good(folder, at_least=2)
        shutil.rmtree(folder)

    def test_the_states_are_cruel(self):
        """Without fsync some states would have no good checkpoint, so this test notices a missing fsync."""
        self.outcomes = collections.Counter()
        problems = self.find_problems(list(self.states(40, honours_fsync=False)))
        self.assertTrue(any("no good" in problem for problem in problems.values()), problems)
        self.assertFalse(any("passes" in problem for problem in problems.values()), problems)


if __name__ == "__main__":
    harness.main()
