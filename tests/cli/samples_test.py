#!/usr/bin/env python3
"""Samples while training: they are those of `generate`, change no bit of the training, and stand once after a resume.

    .venv/bin/python tests/cli/samples_test.py --binary build/release/pdl-train
"""

import json
import pathlib
import sys
import tempfile
import unittest

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
from run_folder import without_times  # noqa: E402

PROMPTS = ["the sea", "Every word that she told him", "the sea"]
SAMPLING = ["--sample_temperature", "0.9", "--sample_top_p", "0.9", "--sample_max_new_tokens", "11"]
EVENTS = ["--eval_steps", "4", "--save_steps", "3", "--logging_steps", "1", "--save_total_limit", "0",
          "--lr_scheduler_type", "constant", "--warmup_steps", "0"]  # so that a run may be made longer


class Counting(torch.nn.Module):
    def __init__(self, vocab_size: int):
        super().__init__()
        self.table = torch.nn.Embedding(vocab_size, vocab_size)
        self.register_buffer("forwards", torch.zeros((), dtype=torch.long))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        self.forwards += 1
        return self.table(input_ids)


def json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class SamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "demo"
        assert program.run("init", "demo", "--preset", "tiny", folder=cls.temporary.name).returncode == 0
        cls.prompts = [part for prompt in PROMPTS for part in ("--sample_prompts", prompt)]
        cls.train("on", *cls.prompts, *SAMPLING)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def train(cls, output, *flags, steps=12):
        process = program.run("--config", "run.json", *EVENTS, "--max_steps", str(steps), "--output_dir", output, *flags,
                              folder=cls.folder)  # fmt: skip
        assert process.returncode == 0, process.stderr

    def train_with(self, output, **keys):
        """With keys of run.json, in which a value need not be that of a flag."""
        config = json.loads((self.folder / "on" / "config.json").read_text())
        config.update(output_dir=output, **keys)
        (self.folder / "changed.json").write_text(json.dumps(config))
        return program.run("--config", "changed.json", folder=self.folder)

    def test_lines(self):
        samples = json_lines(self.folder / "on" / "samples.jsonl")
        self.assertEqual([(s["step"], s["prompt_index"]) for s in samples], [(step, i) for step in (4, 8, 12) for i in range(3)])
        for sample in samples:
            self.assertEqual(list(sample), ["step", "prompt_index", "sample", "prompt", "text", "ids", "logprobs",
                                            "finish_reason", "seed"])  # fmt: skip
            self.assertEqual(sample["prompt"], PROMPTS[sample["prompt_index"]])
        events = [line for line in json_lines(self.folder / "on" / "metrics.jsonl") if line["event"] == "sample"]
        self.assertEqual(events, [{"event": "sample", "step": s["step"], "prompt_index": s["prompt_index"], "text": s["text"]}
                                  for s in samples])  # fmt: skip

    def test_the_last_are_those_of_generate(self):
        process = program.run(
            "generate", "--model_path", "on/model.pt", "--tokenizer_path", "tokenizer.model", "--prompt", *PROMPTS, "--seed",
            str(json.loads((self.folder / "on" / "config.json").read_text())["seed"]), "--temperature", "0.9", "--top_p", "0.9",
            "--max_new_tokens", "11", "--output", "again.jsonl", folder=self.folder)  # fmt: skip
        self.assertEqual(process.returncode, 0, process.stderr)
        last = [sample for sample in json_lines(self.folder / "on" / "samples.jsonl") if sample.pop("step") == 12]
        self.assertEqual(json_lines(self.folder / "again.jsonl"), last)

    def test_training_has_the_same_bits_without(self):
        self.train("off")
        self.assertFalse((self.folder / "off" / "samples.jsonl").exists())
        self.assertEqual((self.folder / "off" / "model.pt").read_bytes(), (self.folder / "on" / "model.pt").read_bytes())
        lines = [without_times(line) for line in json_lines(self.folder / "on" / "metrics.jsonl") if line["event"] != "sample"]
        self.assertEqual([without_times(line) for line in json_lines(self.folder / "off" / "metrics.jsonl")], lines)

    def test_a_program_that_counts_its_forwards_does_not_count_samples(self):
        vocab_size = torch.jit.load(self.folder / "model.pt")(torch.tensor([[1, 2]])).shape[-1]
        torch.jit.script(Counting(vocab_size)).save(self.folder / "counting.pt")
        for output, prompts in (("counting-on", self.prompts), ("counting-off", [])):
            self.train(output, "--model_path", "counting.pt", *prompts)
        models = [(self.folder / output / "model.pt").read_bytes() for output in ("counting-on", "counting-off")]
        self.assertEqual(*models)
        self.assertGreater(torch.jit.load(self.folder / "counting-on" / "model.pt").forwards, 12)

    def test_a_model_that_cannot_write_trains_on(self):
        process = self.train_with("cold", sample_prompts=["a"], sample_temperature=1e-300, max_steps=4)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("no samples at step 4", process.stderr)
        self.assertEqual(json.loads((self.folder / "cold" / "summary.json").read_text())["status"], "finished")

    def test_no_line_stands_twice_after_a_resume(self):
        whole = (self.folder / "on" / "samples.jsonl").read_bytes()
        for stop in (3, 5, 8):
            with self.subTest(stop=stop):
                output = f"resumed-{stop}"
                self.train(output, *self.prompts, *SAMPLING, steps=stop)
                # As a process that died later would leave it: lines of steps that no checkpoint knows, and half of one.
                with (self.folder / output / "samples.jsonl").open("a") as file:
                    file.write('{"step":9,"prompt_index":0}\n{"step":12,"promp')
                self.train(output, *self.prompts, *SAMPLING)
                lines = (self.folder / output / "samples.jsonl").read_bytes().splitlines(keepends=True)
                steps = [json.loads(line)["step"] for line in lines]
                self.assertEqual(steps, [step for step in sorted({4, 8, 12, stop}) for _ in PROMPTS])
                self.assertEqual(b"".join(line for line, step in zip(lines, steps) if step in (4, 8, 12)), whole)
                events = [line for line in json_lines(self.folder / output / "metrics.jsonl") if line["event"] == "sample"]
                self.assertEqual([event["step"] for event in events], steps)

    def test_tensorboard_shows_the_texts(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(self.folder / "on" / "runs"))
        events.Reload()
        tags = [f"samples/{i}/text_summary" for i in range(3)]
        self.assertLessEqual(set(tags), set(events.Tags()["tensors"]))
        samples = json_lines(self.folder / "on" / "samples.jsonl")
        for i, tag in enumerate(tags):
            shown = [(event.step, event.tensor_proto.string_val[0].decode()) for event in events.Tensors(tag)]
            self.assertEqual(shown, [(s["step"], "    " + (s["prompt"] + s["text"]).replace("\n", "\n    "))
                                     for s in samples if s["prompt_index"] == i])  # fmt: skip
            self.assertEqual(events.SummaryMetadata(tag).plugin_data.plugin_name, "text")

    def test_one_text_in_run_json(self):
        process = self.train_with("one", sample_prompts="light", max_steps=2)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual([s["prompt"] for s in json_lines(self.folder / "one" / "samples.jsonl")], ["light"])

    def test_refused(self):
        for keys, code, word in (
            ({"sample_max_new_tokens": 0}, 2, "sample_max_new_tokens"),
            ({"sample_temperature": -1}, 2, "sample_temperature"),
            ({"sample_top_p": 0}, 2, "sample_top_p"),
            ({"sample_top_p": 1.5}, 2, "sample_top_p"),
            ({"sample_prompts": ["a", ""]}, 2, "sample_prompts"),
            ({"sample_prompts": [3]}, 2, "sample_prompts"),
            ({"eval_files": [], "eval_steps": 0}, 2, "eval_files"),
        ):
            with self.subTest(keys=keys):
                process = self.train_with("refused", **keys)
                self.assertEqual(process.returncode, code, process.stderr)
                self.assertIn(word, process.stderr)
                self.assertFalse((self.folder / "refused").exists())


if __name__ == "__main__":
    program.main()
