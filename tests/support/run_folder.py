"""An output_dir of pdl-train: the lines of its metrics, and how it looked at an earlier checkpoint."""

import json
import pathlib
import shutil

MEASURED = ("tokens_per_second", "step_ms", "peak_memory_gb")  # differ from run to run


def lines(folder: pathlib.Path, event: str = "") -> list:
    """The lines of metrics.jsonl, or those of one event."""
    parsed = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in parsed if event in ("", line["event"])]


def metrics(folder: pathlib.Path) -> list:
    """The lines without what is measured; `resume` is said of the resumed run alone, `end` has times."""
    return [{key: value for key, value in line.items() if key not in MEASURED}
            for line in lines(folder) if line["event"] not in ("resume", "end")]


def without_times(value):
    """A value of JSON without the members that differ from run to run."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in (*MEASURED, "wall_seconds")}
    return value


def cut_back(folder: pathlib.Path, step: int) -> None:
    """Takes the results and the checkpoints after `step` away, as if the run had been killed; its later lines stay."""
    (folder / "summary.json").unlink()
    for name in ("model.pt", "model.safetensors"):
        (folder / name).unlink(missing_ok=True)
    for name in ("model", "adapter"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for checkpoint in folder.glob("checkpoint-*"):
        if int(checkpoint.name.split("-")[1]) > step:
            shutil.rmtree(checkpoint)
