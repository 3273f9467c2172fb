"""Training with PyTorch and transformers alone, sequence by sequence, for comparison.

The model computes in float32, the cross-entropy in float64: PyTorch's float32 cross-entropy is too
low where a vocabulary is large.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F


@dataclasses.dataclass
class Settings:
    """The keys of run.json that the loop heeds, with their defaults."""

    max_steps: int
    optim: str = "adamw"
    learning_rate: float = 5e-5
    lr_scheduler_type: str = "linear"
    warmup_steps: int = 0
    weight_decay: float = 0.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    pdl_alpha: float = 0.25
    pdl_epsilon: float = 1.0
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    isolate_documents: bool = True


def row_logits(model, row, isolates):
    """Logits [T, V]. Documents that are isolated go through the model one by one."""
    starts = row.starts if isolates else [0]
    ends = [*starts[1:], len(row.ids)]
    pieces = [torch.tensor([row.ids[start:end]]) for start, end in zip(starts, ends)]
    return torch.cat([model(input_ids=piece, use_cache=False).logits[0] for piece in pieces])


def row_losses(model, row, isolates):
    """The cross-entropies of the targets of a row, float64, and the targets."""
    kept = torch.tensor(row.trained[1:], dtype=torch.bool)
    targets = torch.tensor(row.ids[1:])[kept]
    logits = row_logits(model, row, isolates)[:-1][kept]
    return F.cross_entropy(logits.double(), targets, reduction="none"), targets


def evaluate(model, rows, isolates):
    """The mean cross-entropy of all targets."""
    with torch.no_grad():
        losses = torch.cat([row_losses(model, row, isolates)[0] for row in rows])
    return losses.mean().item()


def windows(rows, settings):
    """Endlessly: the micro-batches of one step after another; those of an epoch stay in it."""
    size, accumulation = settings.per_device_train_batch_size, settings.gradient_accumulation_steps
    batches = [rows[i:i + size] for i in range(0, len(rows), size)]
    while True:
        for i in range(0, len(batches), accumulation):
            yield batches[i:i + accumulation]


def rate_factor(index, settings):
    """Of the learning rate at the step of this index, from 0."""
    if index < settings.warmup_steps:
        return index / settings.warmup_steps
    if settings.lr_scheduler_type == "constant":
        return 1.0
    rest = settings.max_steps - settings.warmup_steps
    share = (index - settings.warmup_steps) / rest
    return 1 - share if settings.lr_scheduler_type == "linear" else (1 + math.cos(math.pi * share)) / 2


def make_optimizer(model, settings):
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if settings.optim == "sgd":
        return torch.optim.SGD(parameters, lr=0.0)
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=0.0, betas=(settings.adam_beta1, settings.adam_beta2), eps=settings.adam_epsilon
    )


def accumulate(model, window, weights, settings):
    """Adds the gradients of a window; returns its weighted loss and its cross-entropy."""
    targets = [
        i for batch in window for row in batch for i, kept in zip(row.ids, row.trained) if kept
    ]
    weight_sum = weights[torch.tensor(targets)].sum()
    weighted, plain = 0.0, 0.0
    for row in (row for batch in window for row in batch):
        losses, ids = row_losses(model, row, settings.isolate_documents)
        loss = (weights[ids] * losses).sum() / weight_sum
        loss.backward()
        weighted += loss.item()
        plain += losses.sum().item()
    return weighted, plain / len(targets)


def train(model, rows, counts, settings):
    """Trains the model in place and returns, for each step, loss, ce, grad_norm and learning_rate.

    The gradients of the last step, before clipping, stay in the parameters where nothing clips.
    """
    model.eval()  # dropout is not compared
    weights = torch.tensor((counts + settings.pdl_epsilon) ** -settings.pdl_alpha)
    optimizer = make_optimizer(model, settings)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    steps = []
    for index, window in zip(range(settings.max_steps), windows(rows, settings)):
        optimizer.zero_grad()
        loss, ce = accumulate(model, window, weights, settings)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = torch.sqrt(sum(gradient.double().square().sum() for gradient in gradients)).item()
        if settings.max_grad_norm > 0:
            factor = min(1.0, settings.max_grad_norm / (norm + 1e-6))
            for gradient in gradients:
                gradient.mul_(factor)
        rate = settings.learning_rate * rate_factor(index, settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        steps.append({"loss": loss, "ce": ce, "grad_norm": norm, "learning_rate": rate})
    return steps
