#!/usr/bin/env python3
"""The command sweep: its cells are the runs by hand, however it is cut, parallel, killed or stopped.

    .venv/bin/python tests/cli/sweep_test.py --binary build/release/pdl-train [--full]
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
for name in ("support", "reliability"):
    sys.path.insert(0, str(ROOT / name))
import harness  # noqa: E402
import program  # noqa: E402
from run_folder import metrics, without_times  # noqa: E402

# Beside the lines of metrics.jsonl: what is told of times, or differs with a checkpoint that a signal has caused.
NOT_COMPARED = ("train.log", "metrics.jsonl", "summary.json", "report.html")
FLAGS = {"max_steps": 6, "save_steps": 2, "logging_steps": 1, "num_threads": 1, "tensorboard": "false"}
GRID = ("--pdl_alpha", "0.5", "--seeds", "2")
CELLS = ["alpha=0/seed=1", "alpha=0/seed=2", "alpha=0.5/seed=1", "alpha=0.5/seed=2"]
TIMEOUT_S = 120


def without_paths(file, *folders):
    content = file.read_bytes()
    for folder in folders:
        content = content.replace(os.fsencode(folder), b"FOLDER")
    return content


def files_of(folder):
    """The paths below a folder, without checkpoints."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not any(part.startswith("checkpoint-") for part in path.parts))


def differences(folder, other):
    """What differs between two sweeps or runs, but for times and their own path."""
    if files_of(folder) != files_of(other):
        return [f"{set(files_of(folder)) ^ set(files_of(other))} in one of them alone"]
    found = []
    for path in files_of(folder):
        if path.name == "metrics.jsonl":
            equal = metrics(folder / path.parent) == metrics(other / path.parent)
        elif path.name == "summary.json":
            equal = without_times(json.loads((folder / path).read_text())) == without_times(
                json.loads((other / path).read_text()))  # fmt: skip
        elif path.name in NOT_COMPARED:
            equal = True
        else:
            equal = without_paths(folder / path, folder, other) == without_paths(other / path, folder, other)
        if not equal:
            found.append(f"{path} differs")
    return found


def states(folder):
    """{folder of a cell: its state}."""
    record = json.loads((folder / "sweep.json").read_text())
    return {cell["folder"]: cell["state"] for cell in record["cells"]}


def processes_of(cell):
    """The processes that train the cell, by their arguments."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if f"--output_dir\0{cell}\0".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def states_or_none(folder):
    return states(folder) if (folder / "sweep.json").exists() else {}


@contextlib.contextmanager
def lock_of(folder):
    """What a process that trains in the folder holds."""
    folder.mkdir(parents=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class SweepTest(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.root / "whole"
        begin = time.monotonic()
        cls.whole_run = cls.run_sweep(cls.whole)
        cls.seconds = time.monotonic() - begin
        assert cls.whole_run.returncode == 0, cls.whole_run.stderr

    # ------------------------------------------------------------------ how it is called

    @classmethod
    def words(cls, folder, *flags):
        words = [program.binary(), "sweep", "--config", cls.job / "run.json", "--output_dir", folder]
        for key, value in FLAGS.items():
            if f"--{key}" not in flags:
                words += [f"--{key}", value]
        return [str(word) for word in (*words, *(flags if "--seeds" in flags else (*GRID, *flags)))]

    @classmethod
    def run_sweep(cls, folder, *flags):
        return subprocess.run(cls.words(folder, *flags), capture_output=True, text=True, timeout=TIMEOUT_S)

    def start(self, folder, *flags):
        process = subprocess.Popen(self.words(folder, *flags), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def finish(self, folder, *flags):
        result = self.run_sweep(folder, *flags)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def refuse(self, code, words, folder, *flags):
        result = self.run_sweep(folder, *flags)
        self.assertEqual(result.returncode, code, result.stderr)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        self.assertEqual(result.stdout, "")
        return result

    def wait_until(self, condition, process):
        """Until something has happened that the process brings about."""
        deadline = time.monotonic() + TIMEOUT_S
        while not condition() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        if not condition():
            process.kill()
            self.fail(process.communicate()[1])

    def copy_of_whole(self, name):
        folder = self.root / name
        shutil.copytree(self.whole, folder)
        return folder

    # ------------------------------------------------------------------ what it leaves

    def test_sweep_json_and_the_comparison(self):
        record = json.loads((self.whole / "sweep.json").read_text())
        rate = json.loads((self.whole / CELLS[0] / "config.json").read_text())["learning_rate"]
        expected = [{"alpha": alpha, "seed": seed, "learning_rate": rate, "folder": f"alpha={alpha or 0}/seed={seed}",
                     "state": "finished", "exit_code": 0} for alpha in (0, 0.5) for seed in (1, 2)]  # fmt: skip
        self.assertEqual(record, {"format": "pdl-sweep", "version": 1, "exit_code": 0, "cells": expected})
        runs = [self.whole / cell for cell in CELLS]
        compared = program.run("compare", *runs, "--json")
        self.assertEqual(compared.stdout, (self.whole / "comparison.json").read_text())
        self.assertEqual(self.whole_run.stdout, program.run("compare", *runs).stdout)
        self.assertTrue((self.whole / "report.html").read_text().startswith("<!"))

    def test_the_console_has_a_line_when_a_cell_begins_and_ends(self):
        lines = self.whole_run.stderr.splitlines()
        for number, cell in enumerate(CELLS, 1):
            ce = json.loads((self.whole / cell / "summary.json").read_text())["final"]["eval_ce"]
            of_cell = [line for line in lines if f": {cell} " in line]
            self.assertEqual(len(of_cell), 2, of_cell)
            self.assertRegex(of_cell[0], rf"begins, {number} of 4$")
            self.assertRegex(of_cell[1], rf"finished after \d+ s: eval ce {ce:.4f}, ppl ")
        self.assertFalse([line for line in lines if "step 1" in line])

    def test_a_cell_is_the_run_by_hand(self):
        for alpha, seed in ((0, 2), (0.5, 1)):
            hand = self.root / f"hand-{alpha}-{seed}"
            words = ["train" if word == "sweep" else word for word in self.words(hand, "--seeds")][:-1]
            words += ["--pdl_alpha", str(alpha), "--seed", str(seed)]
            subprocess.run(words, check=True, capture_output=True)
            cell = self.whole / f"alpha={alpha}/seed={seed}"
            self.assertEqual(differences(cell, hand), [])
            for name in ("model.safetensors", "optimizer.safetensors"):
                self.assertEqual((cell / "checkpoint-6" / name).read_bytes(), (hand / "checkpoint-6" / name).read_bytes())

    def test_text_is_tokenized_once(self):
        # A run that tokenizes writes files of its own.
        files = sorted((self.whole / CELLS[0] / "cache").iterdir())
        self.assertEqual(len(files), 2)  # of train_files and eval_files
        for cell in CELLS[1:]:
            others = sorted((self.whole / cell / "cache").iterdir())
            self.assertEqual([path.stat().st_ino for path in others], [path.stat().st_ino for path in files])

    def test_finished_again_it_trains_nothing(self):
        folder = self.copy_of_whole("again")
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.parent != folder and path.is_file()}
        result = self.finish(folder)
        self.assertEqual({path: path.stat().st_mtime_ns for path in before}, before)
        self.assertEqual(differences(folder, self.whole), [])
        self.assertEqual(result.stdout, self.whole_run.stdout)

    # ------------------------------------------------------------------ parallel and in shards

    def test_jobs_change_nothing(self):
        folder = self.root / "jobs"
        self.finish(folder, "--jobs", "2")
        self.assertEqual(differences(folder, self.whole), [])
        inodes = {path.stat().st_ino for path in folder.glob("alpha=*/seed=*/cache/*")}
        self.assertEqual(len(inodes), 2)

    def test_shards_are_the_whole_together(self):
        folder = self.root / "shards"
        result = self.finish(folder, "--shard", "1/2")
        self.assertEqual(states(folder), dict(zip(CELLS, ("waiting", "finished") * 2)))
        self.assertEqual(result.stdout, "")
        self.assertFalse((folder / "comparison.json").exists())
        self.finish(folder, "--shard", "0/2")
        self.assertEqual(differences(folder, self.whole), [])

    def test_shards_at_once(self):
        folder = self.root / "at-once"
        processes = [self.start(folder, "--shard", f"{index}/2") for index in range(2)]
        for process in processes:
            _, errors = process.communicate(timeout=TIMEOUT_S)
            self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(differences(folder, self.whole), [])

    def test_more_shards_than_cells(self):
        folder = self.root / "many"
        self.finish(folder, "--shard", "7/8")
        self.assertEqual(states(folder), dict.fromkeys(CELLS, "waiting"))
        self.assertEqual([path.name for path in folder.iterdir()], ["sweep.json"])

    # ------------------------------------------------------------------ killed and stopped

    def test_killed_at_random(self):
        number = 50 if harness.options.full else 2

        def check(case):
            random = harness.generator(case)
            folder = self.root / case
            flags = ("--jobs", str(random.choice((1, 2))))
            for _ in range(random.choice((1, 2, 3))):
                process = self.start(folder, *flags)
                time.sleep(random.uniform(0, 1.1 * self.seconds))
                process.kill()
                process.communicate()
            self.finish(folder, *flags)
            self.assertEqual(differences(folder, self.whole), [])
            shutil.rmtree(folder)

        self.check_each("sweeps killed at random", [f"killed@{i}" for i in range(number)], check)

    def test_what_a_killed_sweep_has_left_of_a_file_is_removed(self):
        folder = shutil.copytree(self.whole, self.root / "leftovers")
        (folder / ".tmp-report.html-123456-7").write_text("half a f")
        self.finish(folder)
        self.assertEqual(differences(folder, self.whole), [])

    def test_a_killed_cell_is_a_failure_and_goes_on(self):
        folder = self.root / "killed-cell"
        process = self.start(folder)
        cell = folder / CELLS[1]
        self.wait_until(lambda: states_or_none(folder).get(CELLS[1]) == "running", process)
        self.wait_until(lambda: processes_of(cell), process)
        for number in processes_of(cell):
            os.kill(number, signal.SIGKILL)
        _, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 137, errors)
        self.assertIn(str(cell), errors.splitlines()[-1])
        self.assertEqual(states(folder), dict(zip(CELLS, ("finished", "failed", "waiting", "waiting"))))
        self.finish(folder)
        self.assertEqual(differences(folder, self.whole), [])

    def test_cells_end_with_a_killed_sweep(self):
        folder = self.root / "orphans"
        process = self.start(folder, "--max_steps", "1000000")
        self.wait_until(lambda: (folder / CELLS[0] / "metrics.jsonl").exists(), process)
        process.kill()
        process.communicate()
        with open(folder / CELLS[0] / ".lock", "w") as file:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                time.sleep(0.01)
        self.fail("the cell still holds its lock")

    def test_signals_go_on_to_the_running_cells(self):
        for number, jobs in ((signal.SIGTERM, "2"), (signal.SIGINT, "1")):
            folder = self.root / f"signal-{number}"
            # Long enough that it is not done before the signal.
            process = self.start(folder, "--jobs", jobs, "--max_steps", "1000000", "--save_steps", "1000000")
            running = CELLS[: int(jobs)]
            files = [folder / cell / "metrics.jsonl" for cell in running]
            self.wait_until(lambda: all(file.exists() and file.read_bytes().count(b"\n") > 1 for file in files), process)
            process.send_signal(number)
            _, errors = process.communicate(timeout=TIMEOUT_S)
            self.assertEqual(process.returncode, 128 + number, errors)
            self.assertFalse([line for line in errors.splitlines() if line.startswith("error: ")], errors)
            for cell in running:
                self.assertEqual(states(folder)[cell], "interrupted")
                self.assertTrue(harness.checkpoints(folder / cell))
                self.assertEqual(json.loads((folder / cell / "summary.json").read_text())["exit_code"], 128 + number)
            self.assertEqual(json.loads((folder / "sweep.json").read_text())["exit_code"], 128 + number)

    def test_stopped_at_random(self):
        number = 50 if harness.options.full else 2

        def check(case):
            random = harness.generator(case)
            folder = self.root / case
            process = self.start(folder)
            time.sleep(random.uniform(0, self.seconds))
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=TIMEOUT_S)
            # Before main() there can be no handler.
            self.assertIn(process.returncode, (143, 0, -signal.SIGTERM), errors)
            self.finish(folder)
            self.assertEqual(differences(folder, self.whole), [])
            shutil.rmtree(folder)

        self.check_each("sweeps stopped at random", [f"stopped@{i}" for i in range(number)], check)

    # ------------------------------------------------------------------ failures

    def broken(self, name):
        """A folder in which the second cell fails with exit code 5, whenever it begins."""
        folder = self.root / name
        (folder / CELLS[1] / "checkpoint-5").mkdir(parents=True)
        return folder

    def test_a_failure_stops(self):
        folder = self.broken("failure")
        result = self.refuse(5, [str(folder / CELLS[1]), "exit code 5"], folder)
        self.assertIn(f"warning: {CELLS[1]}: no valid checkpoint", result.stderr)
        self.assertEqual(states(folder), dict(zip(CELLS, ("finished", "failed", "waiting", "waiting"))))
        self.assertEqual(json.loads((folder / "sweep.json").read_text())["exit_code"], 5)
        (folder / CELLS[1] / "checkpoint-5").rmdir()
        self.finish(folder)
        self.assertEqual(differences(folder, self.whole), [])

    def test_keep_going_goes_on(self):
        folder = self.broken("keep-going")
        self.refuse(5, [str(folder / CELLS[1]), "exit code 5"], folder, "--keep_going")
        self.assertEqual(states(folder), dict(zip(CELLS, ("finished", "failed", "finished", "finished"))))
        self.assertFalse((folder / "comparison.json").exists())

    def test_a_cell_of_another_process_is_left_to_it(self):
        folder = self.root / "held"
        with lock_of(folder / CELLS[0]):
            process = self.start(folder)
            self.wait_until(lambda: list(states_or_none(folder).values())[1:] == ["finished"] * 3, process)
            self.assertIsNone(process.poll())
        _, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(differences(folder, self.whole), [])

    # ------------------------------------------------------------------ another sweep in the same folder

    def test_alphas_and_seeds_are_added(self):
        folder = self.copy_of_whole("more")
        before = (folder / CELLS[3] / "summary.json").read_bytes()
        self.finish(folder, "--pdl_alpha", "0.25", "--seeds", "1,3")
        self.assertEqual(list(states(folder)), [
            "alpha=0/seed=1", "alpha=0/seed=2", "alpha=0/seed=3", "alpha=0.25/seed=1", "alpha=0.25/seed=3",
            "alpha=0.5/seed=1", "alpha=0.5/seed=2"])  # fmt: skip
        self.assertEqual(set(states(folder).values()), {"finished"})
        self.assertEqual((folder / CELLS[3] / "summary.json").read_bytes(), before)
        arms = json.loads((folder / "comparison.json").read_text())["arms"]
        self.assertEqual([(arm["alpha"], arm["seeds"]) for arm in arms], [(0.25, [1, 3]), (0.5, [1, 2])])

    def test_learning_rates(self):
        folder = self.root / "rates"
        result = self.finish(folder, "--pdl_alpha", "0.5", "--seeds", "1", "--learning_rate", "0.001,2e-05")
        self.assertEqual(list(states(folder)), [f"alpha={alpha}/lr={rate}/seed=1" for alpha in ("0", "0.5")
                                                for rate in ("2e-05", "0.001")])  # fmt: skip
        for cell in states(folder):
            rate = json.loads((folder / cell / "config.json").read_text())["learning_rate"]
            self.assertIn(f"lr={rate}/", cell)
        self.assertEqual(result.stderr.count("is compared with its best learning_rate"), 2)

    def test_another_config_is_refused(self):
        folder = self.copy_of_whole("changed")
        self.refuse(2, ["max_steps", CELLS[0]], folder, "--max_steps", "8")
        self.refuse(2, ["learning_rate"], folder, *GRID, "--learning_rate", "0.5")
        self.refuse(2, ["max_length"], folder, "--max_length", "16")
        self.finish(folder, "--logging_steps", "3")
        self.assertEqual(differences(folder, self.whole), [])

    def test_bad_calls_are_refused(self):
        folder = self.root / "refused"
        for words, flags in (
            (["--seeds"], ("--seeds", "0")),
            (["--seeds"], ("--seeds", "1,x")),
            (["--seeds"], ("--seeds", "1,,2")),
            (["--seeds"], ("--seeds", "-1,2")),
            (["--pdl_alpha"], (*GRID, "--pdl_alpha", "-1")),
            (["--pdl_alpha"], ("--pdl_alpha", "nan", "--seeds", "2")),
            (["--learning_rate"], (*GRID, "--learning_rate", "fast")),
            (["--shard"], ("--shard", "2/2")),
            (["--shard"], ("--shard", "1")),
            (["--jobs"], ("--jobs", "0")),
            (["--seed"], (*GRID, "--seed", "1")),
            (["resume_from_checkpoint"], ("--resume_from_checkpoint", "never")),
            (["eval_files"], ("--eval_files", "")),
            (["eval_bias_grid"], ("--eval_bias_grid", "")),
            (["eval_bias_grid", "no tau 0"], ("--eval_bias_grid", "0.125:1:0.125")),
            (["eval_bias_grid", "LOW:HIGH:STEP"], ("--eval_bias_grid", "-1:1")),
            (["pdl_alpha", "such as 0.25,0.5"], ("--pdl_alpha", "0", "--seeds", "2")),
        ):
            with self.subTest(flags=flags):
                self.refuse(2, words, folder, *flags)
                self.assertFalse(folder.exists())

    def test_an_evaluation_that_cannot_be_compared_stops_after_the_first_cell(self):
        for jobs in ("1", "2"):
            folder = self.root / f"one-document-{jobs}"
            flags = ("--text_document", "file", "--jobs", jobs)
            words = ["documents with odd numbers", "text_document", "another output_dir", str(folder / CELLS[0])]
            self.refuse(3, words, folder, *flags)
            self.assertEqual(states(folder)[CELLS[0]], "finished")
            self.assertEqual([states(folder)[cell] for cell in CELLS[2:]], ["waiting"] * 2)
            self.refuse(3, words[:-1], folder, *flags)  # at once: nothing more is trained
            self.assertEqual([states(folder)[cell] for cell in CELLS[2:]], ["waiting"] * 2)

    def test_the_folder_of_a_run_is_refused(self):
        self.refuse(2, ["files of a run"], self.whole / CELLS[0])

    def test_a_damaged_sweep_json_is_named(self):
        folder = self.copy_of_whole("damaged")
        (folder / "sweep.json").write_text('{"format":"pdl-sweep","version":1')
        self.refuse(3, [str(folder / "sweep.json")], folder)
        (folder / "sweep.json").unlink()
        self.finish(folder)
        self.assertEqual(differences(folder, self.whole), [])


if __name__ == "__main__":
    harness.main()
