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
      dtype: in which the other side computes its logits and trainings. With float64 each training
        is done in float32 by PyTorch, too: what that differs by is accepted of the program.
    """

    model: pathlib.Path
    scratch: pathlib.Path
    run: object
    num_threads: int = 0
    checks_sequences: bool = True
    dtype: torch.dtype = torch.float32
    of_pytorch: dict = dataclasses.field(default_factory=dict)  # differences of float32 by run

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
        job, model, rounded, worst = self.trained("gradients", data, keys, isolates)
        before = dict(load_model(self.model).named_parameters())
        after = dict(job.trained_model().named_parameters())
        expected = gradients_of(model)
        found = {
            key: (before[key].detach().double() - after[key].detach().double()) / GRADIENT_RATE
            for key in expected
        }
        worst["gradients"] = gradient_difference(found, expected)
        if rounded is not None:
            self.of_pytorch["gradients"]["gradients"] = gradient_difference(
                gradients_of(rounded), expected
            )
        return worst

    def training(self, name, data, keys, isolates=True):
        """Several steps, their parameters, and the saved folder in an evaluation."""
        job, model, rounded, worst = self.trained(name, data, keys, isolates)
        if rounded is not None:
            self.of_pytorch[name]["parameters"] = parameter_difference(
                dict(rounded.named_parameters()), model
            )
        trained = job.trained_model()
        after = dict(trained.named_parameters())
        worst["parameters"] = parameter_difference(after, model)
        if data.eval_rows:
            evaluated = reference.evaluate(job.saved_model(), data.eval_rows, isolates)
            worst["saved eval_ce"] = relative(job.evaluated(), evaluated)
            evaluated = reference.evaluate(trained, data.eval_rows, isolates)
            worst["eval_ce"] = relative(job.lines("eval")[-1]["eval_ce"], evaluated)
        return worst

    def trained(self, name, data, keys, isolates):
        """Trains with both; returns the job, the reference's model, that of PyTorch's float32 if it
        is another, and differences of the steps."""
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
        settings = reference.Settings(isolate_documents=isolates, **settings)
        steps = reference.train(model, data.rows, counts, settings)
        worst.update(step_differences(lines, steps))
        if self.dtype == torch.float32:
            return job, model, None, worst
        rounded = load_model(self.model)
        rounded_steps = reference.train(rounded, data.rows, counts, settings)
        self.of_pytorch[name] = step_differences(rounded_steps, steps)
        return job, model, rounded, worst


def step_differences(steps, expected):
    """The worst differences of the steps of a training."""
    worst = {}
    for key in ("loss", "ce", "grad_norm", "learning_rate"):
        pairs = [(step[key], other[key]) for step, other in zip(steps, expected)]
        worst[key] = max((relative(a, b) for a, b in pairs), default=0.0)
    if len(steps) != len(expected):
        worst["loss"] = math.inf
    return worst


def gradients_of(model):
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def gradient_difference(found, expected):
    """The worst difference of a gradient, relative to its norm."""
    total = math.sqrt(sum(gradient.double().square().sum().item() for gradient in expected.values()))
    return max(
        ((found[key] - gradient).norm() / (gradient.norm() + ZERO_GRADIENT * total)).item()
        for key, gradient in expected.items()
    )


def parameter_difference(parameters, model):
    """The worst difference of a parameter from the model's, relative to its norm."""
    return max(
        ((parameters[key] - parameter).norm() / (parameter.norm() + 1e-12)).item()
        for key, parameter in model.named_parameters()
    )


def relative(actual, expected):
    if actual is None or not math.isfinite(actual):
        return math.inf
    return 0.0 if actual == expected else abs(actual - expected) / max(abs(actual), abs(expected))


def bound_of(key, differences_of_pytorch):
    return max(BOUNDS[key], differences_of_pytorch.get(key, 0.0))


def all_accepted(results, of_pytorch):
    """Whether nothing differs by more than its bound, or than PyTorch where that is known."""
    return all(
        value <= bound_of(key, of_pytorch.get(run, {}))
        for run, differences in results.items()
        for key, value in differences.items()
    )


def print_table(results, of_pytorch):
    """Prints the worst differences; returns whether all are accepted."""
    columns = []  # (heading, differences, of_pytorch)
    for run, differences in results.items():
        columns.append((run, differences, of_pytorch.get(run, {})))
        if run in of_pytorch:
            columns.append((f"{run} PyTorch", of_pytorch[run], of_pytorch[run]))
    width = max(map(len, BOUNDS))
    widths = [max(len(heading), 9) for heading, _, _ in columns]
    header = "  ".join(heading.rjust(size) for (heading, _, _), size in zip(columns, widths))
    print(f"{'':{width}}  {header}  {'accepted':>9}")
    for key, bound in BOUNDS.items():
        if all(differences.get(key) is None for _, differences, _ in columns):
            continue
        cells = []
        for (_, differences, accepted), size in zip(columns, widths):
            value = differences.get(key)
            mark = "" if value is None or value <= bound_of(key, accepted) else "!"
            cells.append(("-" if value is None else f"{mark}{value:.1e}").rjust(size))
        print(f"{key:{width}}  {'  '.join(cells)}  {bound:9.0e}")
    return all_accepted(results, of_pytorch)
