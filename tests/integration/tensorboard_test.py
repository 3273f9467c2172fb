"""TensorBoard's own reader finds in runs/ what metrics.jsonl says, even after a resume.

    python tests/integration/tensorboard_test.py --binary build/release/pdl-train

or with the binary in PDL_TRAIN_BINARY. Needs the package tensorboard.
"""

import json
import math
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

NOT_SCALARS = {"event", "step", "eval_bands"}


def as_float32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def scalars_of_line(line):
    """The (tag, value) pairs that one line of metrics.jsonl stands for; a null has no point or is nan."""
    if line["event"] == "train":
        return {f"train/{k}": v for k, v in line.items() if k not in NOT_SCALARS}
    scalars = {f"eval/{k.removeprefix('eval_')}": v for k, v in line.items() if k not in NOT_SCALARS}
    for band, fields in line["eval_bands"].items():
        scalars |= {f"eval_bands/{band}/{k}": v for k, v in fields.items()}
    return scalars


def expected_points(metrics_path):
    points = {}
    for text in metrics_path.read_text().splitlines():
        line = json.loads(text)
        if line["event"] not in ("train", "eval"):
            continue
        for tag, value in scalars_of_line(line).items():
            if value is not None:
                points.setdefault(tag, []).append((line["step"], as_float32(value)))
    return points


def points_in(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    points = {}
    for tag in accumulator.Tags()["scalars"]:
        found = [(e.step, e.value) for e in accumulator.Scalars(tag) if not math.isnan(e.value)]
        if found:
            points[tag] = found
    return points


class TensorBoardTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.run_binary("init", self.folder / "job", "--preset", "tiny")
        self.output = self.folder / "job" / "run"

    def run_binary(self, *arguments):
        result = program.run(*arguments, timeout_s=300)
        self.assertEqual(result.returncode, 0, result.stderr)

    def train(self, *flags):
        self.run_binary("--config", self.folder / "job" / "run.json", "--logging_steps", "5", "--eval_steps", "10",
                        "--save_steps", "10", *flags)

    def assert_runs_equal_metrics(self):
        expected = expected_points(self.output / "metrics.jsonl")
        self.assertEqual(points_in(self.output / "runs"), expected)
        return expected

    def test_every_scalar_is_that_of_metrics_jsonl(self):
        self.train("--max_steps", "20")
        points = self.assert_runs_equal_metrics()
        self.assertEqual([step for step, _ in points["train/loss"]], [5, 10, 15, 20])
        self.assertEqual([step for step, _ in points["eval/ce"]], [10, 20])
        self.assertTrue(any(tag.startswith("eval_bands/") for tag in points))

    def test_repeated_steps_are_shown_once(self):
        self.train("--max_steps", "20")
        shutil.rmtree(self.output / "checkpoint-20")
        self.train("--max_steps", "30")
        self.assertEqual(len(list((self.output / "runs").iterdir())), 2)
        points = self.assert_runs_equal_metrics()
        self.assertEqual([step for step, _ in points["train/loss"]], [5, 10, 15, 20, 25, 30])

    def test_can_be_switched_off(self):
        self.train("--max_steps", "5", "--tensorboard", "false")
        self.assertFalse((self.output / "runs").exists())


if __name__ == "__main__":
    program.main()
