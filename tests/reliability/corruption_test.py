#!/usr/bin/env python3
"""`verify` finds every changed byte of a checkpoint, and every file cut off, missing or of another checkpoint."""

import os
import shutil

import harness

CHANGES = {
    "xor01": lambda byte: byte ^ 0x01,
    "xor80": lambda byte: byte ^ 0x80,
    "zero": lambda byte: 0x00,
    "ones": lambda byte: 0xFF,
}
TENSOR_FILES = ("model.safetensors", "optimizer.safetensors")
BATCH = 400
STEP, OTHER_STEP = 30, 25


def header_bytes(content):
    """Of a safetensors file: the length and the JSON."""
    return 8 + int.from_bytes(content[:8], "little")


class CorruptionTest(harness.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.root / "whole"
        harness.run_to_end(cls.job, cls.whole, "--save_total_limit", 0)
        cls.original = cls.whole / f"checkpoint-{STEP}"
        cls.content = harness.content(cls.original)
        cls.other = harness.content(cls.whole / f"checkpoint-{OTHER_STEP}")

    def make_copy(self, target, name, changed):
        """A checkpoint that shares the files of the original, but for one: it has other bytes, or with None is missing."""
        target.mkdir(parents=True)
        for each in harness.CHECKPOINT_FILES:
            if each != name:
                os.link(self.original / each, target / each)
        if changed is not None:
            (target / name).write_bytes(changed)

    def check_detected(self, what, cases, changed_by):
        """`changed_by(case)` gives the name of a file and what it becomes, see make_copy()."""
        if harness.options.only:
            cases = [case for case in cases if case == harness.options.only]
        verdicts = {}
        folder = self.root / "copies"
        for begin in range(0, len(cases), BATCH):
            paths, names = {}, {}
            for i, case in enumerate(cases[begin : begin + BATCH]):
                paths[case] = folder / str(i) / f"checkpoint-{STEP}"
                names[case], changed = changed_by(case)
                self.make_copy(paths[case], names[case], changed)
            found = harness.verify(paths.values())
            for case, path in paths.items():
                problem = found[str(path)]
                verdicts[case] = self.judge(names[case], problem)
            shutil.rmtree(folder)
        self.check_each(what, cases, verdicts.get)

    def judge(self, name, problem):
        """What is wrong with what `verify` says of a checkpoint whose file `name` is bad."""
        if not problem:
            return "not seen"
        # With a bad manifest the other files may be those that do not fit it.
        is_named = name == "MANIFEST.json" or name in problem or "MANIFEST.json" in problem
        return "" if is_named else f"{problem!r} does not name {name}"

    def sample(self, what, positions, small):
        positions = list(positions)
        if harness.options.full or len(positions) <= small:
            return positions
        ends = {positions[0], positions[-1]}
        return sorted(ends | set(harness.generator(what).sample(positions, small - 2)))

    def check_bytes(self, what, name, positions):
        """Every kind of change at each offset, without those that change nothing."""
        original = self.content[name]
        cases = [
            f"{name}@{position}:{change}"
            for position in positions
            for change, make in CHANGES.items()
            if make(original[position]) != original[position]
        ]

        def changed_by(case):
            position, change = case.rsplit("@", 1)[1].split(":")
            changed = bytearray(original)
            changed[int(position)] = CHANGES[change](changed[int(position)])
            return name, bytes(changed)

        self.check_detected(what, cases, changed_by)

    def test_the_original_is_good(self):
        self.assertEqual(set(harness.verify([self.original]).values()), {""})

    def test_bytes_of_the_manifest(self):
        name = "MANIFEST.json"
        self.check_bytes("changed bytes of MANIFEST.json", name, self.sample(name, range(len(self.content[name])), 60))

    def test_bytes_of_the_state(self):
        name = "trainer_state.json"
        positions = self.sample(name, range(len(self.content[name])), 40)
        self.check_bytes("changed bytes of trainer_state.json", name, positions)

    def test_bytes_of_headers(self):
        for name in TENSOR_FILES:
            positions = self.sample(name, range(header_bytes(self.content[name])), 30)
            self.check_bytes("changed bytes of safetensors headers", name, positions)

    def test_random_bytes_of_tensors(self):
        number = 2000 if harness.options.full else 60
        random = harness.generator("tensor data")
        originals = {name: self.content[name] for name in TENSOR_FILES}
        cases = {}
        while len(cases) < number:
            name = random.choice(TENSOR_FILES)
            position = random.randrange(header_bytes(originals[name]), len(originals[name]))
            value = random.choice([byte for byte in range(256) if byte != originals[name][position]])
            cases[f"{name}@{position}={value}"] = (name, position, value)

        def changed_by(case):
            name, position, value = cases[case]
            changed = bytearray(originals[name])
            changed[position] = value
            return name, bytes(changed)

        self.check_detected("changed random bytes of tensor data", list(cases), changed_by)

    def test_truncations(self):
        """At each length of a header or of the JSON files, one byte short, and one byte too long."""
        for name in harness.CHECKPOINT_FILES:
            original = self.content[name]
            end = header_bytes(original) + 1 if name in TENSOR_FILES else len(original)
            lengths = self.sample(f"lengths of {name}", range(end), 20) + [len(original) - 1, len(original) + 1]
            cases = list(dict.fromkeys(f"{name}:{length}" for length in lengths))

            def changed_by(case, name=name, original=original):
                return name, (original + b"\n")[: int(case.rsplit(":", 1)[1])]

            self.check_detected("truncated or longer files", cases, changed_by)

    def test_missing_files(self):
        cases = [f"without {name}" for name in harness.CHECKPOINT_FILES]
        self.check_detected("missing files", cases, lambda case: (case.split(" ")[1], None))

    def test_files_of_another_checkpoint(self):
        cases = [f"other {name}" for name in harness.CHECKPOINT_FILES]
        self.check_detected("files of another checkpoint", cases, lambda case: self.swapped(case.split(" ")[1]))

    def swapped(self, name):
        self.assertNotEqual(self.content[name], self.other[name])
        return name, self.other[name]

    def test_a_folder_where_a_file_should_be(self):
        target = self.root / "folders" / f"checkpoint-{STEP}"
        for name in harness.CHECKPOINT_FILES:
            self.make_copy(target, name, None)
            (target / name).mkdir()
            self.assertIn(name, harness.verify([target])[str(target)])
            shutil.rmtree(target)

    def test_a_resume_passes_over_what_is_damaged(self):
        """One warning names the file, and the run resumes from the older checkpoint; if none is good: exit 5."""
        random = harness.generator("resume")
        names = harness.CHECKPOINT_FILES

        def damage(checkpoint, name):
            changed = bytearray((checkpoint / name).read_bytes())
            changed[random.randrange(len(changed))] ^= 0x01
            (checkpoint / name).unlink()
            (checkpoint / name).write_bytes(changed)

        def check(name):
            folder = self.root / f"damaged-{name}"
            harness.copy_at(self.whole, folder, (OTHER_STEP, STEP))
            damage(folder / f"checkpoint-{STEP}", name)
            result = harness.run_to_end(self.job, folder)
            warnings = [line for line in result.errors.splitlines() if "warning" in line]
            assert len(warnings) == 1 and f"checkpoint-{STEP}" in warnings[0] and name in warnings[0], warnings
            events = harness.lines(folder)
            assert [e["step"] for e in events if e["event"] == "resume"] == [OTHER_STEP], "resumed elsewhere"
            harness.assert_same(folder, self.whole)
            harness.assert_all_good(folder, at_least=2)

        def check_none_left(name):
            folder = self.root / f"none-{name}"
            harness.copy_at(self.whole, folder, (OTHER_STEP, STEP))
            for step in (OTHER_STEP, STEP):
                damage(folder / f"checkpoint-{step}", name)
            before = (folder / "metrics.jsonl").read_bytes()
            result = harness.run(self.job, folder)
            assert result.code == 5, f"exit code {result.code}: {result.errors[-500:]}"
            assert sum(line.startswith("error: ") for line in result.errors.splitlines()) == 1, result.errors
            assert (folder / "metrics.jsonl").read_bytes() == before, "metrics.jsonl was touched"

        self.check_each("resumes past a damaged checkpoint", list(names), check)
        self.check_each("resumes where none is good", list(names), check_none_left)


if __name__ == "__main__":
    harness.main()
