"""What is compared of a folder, and how far it may differ."""

import dataclasses
import math
import pathlib

import numpy
import torch

from . import reference, sequences
from .program import Job, load_model

# Largest accepted differences. Those of losses, rates and norms are relative; those of gradients
# and parameters are norms, relative to that of the tensor; those of logits are absolute.
BOUNDS = {
    "sequences": 0.0,
    "logits": 1e-4,
    "loss": 1e-5,
    "ce": 1e-5,
    "grad_norm": 1e-4,
    "learning_rate": 1e-12,
    "gradients": 1e-4,
    "parameters": 1e-5,
    "eval_ce": 1e-6,
    "saved eval_ce": 1e-6,
}

# The rounding of a gradient that is zero by its formula, as that of a key's bias can be, is
# compared with this share of the norm of all gradients.
ZERO_GRADIENT = 1e-4

# With these the gradient is (before - after) / 1000.
GRADIENT_RATE = 1000.0
GRADIENT = {"optim": "sgd", "learning_rate": GRADIENT_RATE, "lr_scheduler_type": "constant"}
LOGITS_LENGTH = 16


@dataclasses.dataclass
class Data:
    """Training data, for the program and for the reference."""

    keys: dict  # of run.json
    rows: list  # sequences.Sequence
    eval_rows: list


@dataclasses.dataclass
class Comparison:
    """One folder, compared in runs of one program.

    Args:
      run: runs the program with arguments and returns its stdout.
      checks_sequences: whether to have the program show its sequences.
      dtype: in which the other side computes its logits and trainings.
    """

    model: pathlib.Path
    scratch: pathlib.Path
    run: object
    num_threads: int = 0
    checks_sequences: bool = True
    dtype: torch.dtype = torch.float32

    def job(self, name, keys):
        threads = {"num_threads": self.num_threads}
        return Job(self.model, self.scratch / name, {**threads, **keys}, self.run)

    def logits(self, num_tokens):
        """Differences between logits of one position, from losses.

        Each sequence is the same beginning with another last token, so its loss tells the
        logarithm of the probability of that token.
        """
        model = load_model(self.model, self.dtype)
        vocab_size = model.config.vocab_size
        generator = numpy.random.default_rng(1)
        start = generator.integers(0, vocab_size, LOGITS_LENGTH - 1).tolist()
        last = generator.permutation(vocab_size)[:num_tokens].tolist()
        rows = [sequences.Sequence.of_one_document([*start, i]) for i in last]
        path = self.scratch / "logits.npy"
        numpy.save(path, numpy.array([row.ids for row in rows], dtype=numpy.int32).reshape(-1))
        settings = {"max_steps": len(rows), "learning_rate": 0.0, "optim": "sgd",
                    "per_device_train_batch_size": 1, "max_grad_norm": 0.0, "pdl_alpha": 0.0}  # fmt: skip
        job = self.job("logits", {**settings, "train_files": [str(path)],
                                  "max_length": LOGITS_LENGTH, "momentum": 0.0})  # fmt: skip
        sums = [line["loss"] * (LOGITS_LENGTH - 1) for line in job.start()]
        with torch.no_grad():
            logits = reference.row_logits(model, rows[0], False)[-2].double()[last]
        relative = [sums[0] - value for value in sums]
        expected = (logits - logits[0]).tolist()
        return {"logits": max(abs(a - b) for a, b in zip(relative, expected))}

    def gradients(self, data, isolates=True):
        """Loss, norm and gradients of one step."""
        keys = {**GRADIENT, "max_steps": 1, "max_grad_norm": 0.0, "pdl_alpha": 0.0}
        job, model, worst = self.trained("gradients", data, keys, isolates)
        before = {name: p.detach().clone() for name, p in load_model(self.model).named_parameters()}
        after = dict(job.trained_model().named_parameters())
        expected = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        total = math.sqrt(sum(gradient.double().square().sum().item() for gradient in expected.values()))
        for name, gradient in expected.items():
            found = (before[name].double() - after[name].detach().double()) / GRADIENT_RATE
            difference = (found - gradient).norm() / (gradient.norm() + ZERO_GRADIENT * total)
            worst["gradients"] = max(worst.get("gradients", 0.0), difference.item())
        return worst

    def training(self, name, data, keys, isolates=True):
        """Several steps, their parameters, and the saved folder in an evaluation."""
        job, model, worst = self.trained(name, data, keys, isolates)
        trained = job.trained_model()
        after = dict(trained.named_parameters())
        worst["parameters"] = max(
            ((after[key] - parameter).norm() / (parameter.norm() + 1e-12)).item()
            for key, parameter in model.named_parameters()
        )
        if data.eval_rows:
            evaluated = reference.evaluate(job.saved_model(), data.eval_rows, isolates)
            worst["saved eval_ce"] = relative(job.evaluated(), evaluated)
            evaluated = reference.evaluate(trained, data.eval_rows, isolates)
            worst["eval_ce"] = relative(job.lines("eval")[-1]["eval_ce"], evaluated)
        return worst

    def trained(self, name, data, keys, isolates):
        """Trains with both; returns the job, the reference's model and differences of the steps."""
        settings = {"per_device_train_batch_size": 2, **keys}
        own = {**data.keys, **settings, "isolate_documents": isolates}
        if settings.get("optim") == "sgd":
            own["momentum"] = 0.0
        job = self.job(name, own)
        lines = job.start()
        worst = {}
        if self.checks_sequences:
            shown = [(row.ids, row.trained) for row in data.rows]
            worst["sequences"] = 0.0 if job.rows() == shown else math.inf
        model = load_model(self.model, self.dtype)
        counts = sequences.count_targets(data.rows, model.config.vocab_size)
        steps = reference.train(
            model, data.rows, counts, reference.Settings(isolate_documents=isolates, **settings)
        )
        if len(lines) != len(steps):
            worst["loss"] = math.inf
        for key in ("loss", "ce", "grad_norm", "learning_rate"):
            pairs = [(line[key], step[key]) for line, step in zip(lines, steps)]
            worst[key] = max([worst.get(key, 0.0), *(relative(a, b) for a, b in pairs)])
        return job, model, worst


def relative(actual, expected):
    if actual is None or not math.isfinite(actual):
        return math.inf
    return 0.0 if actual == expected else abs(actual - expected) / max(abs(actual), abs(expected))


def failures(results):
    """What differs by more than its bound: lines of results by run."""
    return [
        f"{run}: {key} {value:.1e} > {BOUNDS[key]:.0e}"
        for run, differences in results.items()
        for key, value in differences.items()
        if not value <= BOUNDS[key]
    ]


def print_table(results):
    """Prints the worst differences; returns whether all are within their bounds."""
    width = max(map(len, BOUNDS))
    columns = [max(len(name), 9) for name in results]
    header = "  ".join(name.rjust(column) for name, column in zip(results, columns))
    print(f"{'':{width}}  {header}  {'accepted':>9}")
    for key, bound in BOUNDS.items():
        values = [differences.get(key) for differences in results.values()]
        if all(value is None for value in values):
            continue
        cells = [
            ("-" if value is None else f"{'' if value <= bound else '!'}{value:.1e}").rjust(column)
            for value, column in zip(values, columns)
        ]
        print(f"{key:{width}}  {'  '.join(cells)}  {bound:9.0e}")
    return not failures(results)
