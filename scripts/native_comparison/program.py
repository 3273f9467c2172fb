"""Runs of pdl-train on a folder, and what they leave."""

import dataclasses
import json
import os
import pathlib
import subprocess

import torch
import transformers

DROPOUT_KEYS = (
    "attention_dropout", "attn_pdrop", "embd_pdrop", "embedding_dropout", "hidden_dropout",
    "resid_pdrop", "residual_dropout",
)  # fmt: skip


class ProgramError(Exception):
    """The program failed, or left a folder that does not load."""


def run_command(binary, *arguments, timeout_s=7200):
    """Runs the program and returns its stdout."""
    command = [str(part) for part in (binary, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ProgramError(f"exit code {done.returncode}: {last[0]}")
    return done.stdout


def without_dropout(folder, copy):
    """Makes `copy` the folder without dropout: links to its files, and another config.json."""
    os.makedirs(copy)
    for path in pathlib.Path(folder).resolve().iterdir():
        if path.name != "config.json":
            os.symlink(path, os.path.join(copy, path.name))
    config = json.loads(pathlib.Path(folder, "config.json").read_text(encoding="utf-8"))
    config.update({key: 0.0 for key in DROPOUT_KEYS if config.get(key)})
    if config["model_type"] == "gpt2":  # whose class drops by default
        config.update({key: 0.0 for key in ("attn_pdrop", "embd_pdrop", "resid_pdrop")})
    pathlib.Path(copy, "config.json").write_text(json.dumps(config), encoding="utf-8")


@dataclasses.dataclass
class Job:
    """A run of the program in a folder of its own."""

    model: str
    folder: pathlib.Path
    keys: dict
    run: object = None  # (*arguments) -> stdout

    def start(self):
        """Trains, and returns the train lines of the metrics."""
        self.folder.mkdir()
        keys = {
            "model_path": str(self.model), "output_dir": "out", "shuffle": False, "seed": 1,
            "tensorboard": False, "logging_steps": 1, "save_steps": 0, **self.keys,
        }  # fmt: skip
        self.config = self.folder / "run.json"
        self.config.write_text(json.dumps(keys), encoding="utf-8")
        self.output = self.folder / "out"
        self.run("--config", self.config)
        return self.lines("train")

    def lines(self, event):
        text = (self.output / "metrics.jsonl").read_text(encoding="utf-8")
        return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]

    def rows(self):
        """The training sequences as the program shows them: lists of ids and of what is trained."""
        shown = map(json.loads, self.run("tokenize", "--config", self.config).splitlines())
        return [(row["ids"], row["trained"]) for row in shown]

    def evaluated(self):
        """The eval_ce of the saved folder, loaded again by the program."""
        text = self.run("eval", "--config", self.config, "--model_path", self.output / "model")
        return json.loads(text)["eval_ce"]

    def trained_model(self):
        """The trained weights of the last checkpoint, float32, in transformers' model."""
        [checkpoint] = self.output.glob("checkpoint-*")
        folder = self.folder / "checkpoint"
        folder.mkdir()
        os.symlink(os.path.join(os.path.abspath(self.model), "config.json"), folder / "config.json")
        os.symlink(checkpoint / "model.safetensors", folder / "model.safetensors")
        return load_model(folder)

    def saved_model(self):
        """transformers' model of the saved folder, float32."""
        return load_model(self.output / "model")


def load_model(folder, dtype=torch.float32):
    """transformers' model of a folder; nothing may be missing or left over in it."""
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[problem]:
            raise ProgramError(f"{folder} has {problem}: {sorted(info[problem])[:3]}")
    return model.eval()
