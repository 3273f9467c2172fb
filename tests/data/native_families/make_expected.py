"""Makes the golden folders of this directory: a tiny model of every native family and what
transformers computes with it.

    .venv/bin/python tests/data/native_families/make_expected.py

For each NAME: NAME/config.json and NAME/model.safetensors as save_pretrained writes them, and
NAME/expected.safetensors with

    input_ids    [2, T] int64
    weights      [V] float32
    logits       [2, T, V] float64
    loss         [] float64, the mean of ce weighted by weights[target], over the T - 1 targets of
                 each sequence
    gradient.P   float32, of the loss, for each parameter P under its name in the file

all of it computed in float64.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

import torch
import torch.nn.functional as F
from native_families import VARIANTS, VOCAB, make_model
from safetensors.torch import load_file, save_file

LENGTH = 11


def names_in_file(model, folder):
    """Each parameter's name in the file -> the parameter."""
    named = dict(model.named_parameters(remove_duplicate=False))
    in_file = load_file(folder / "model.safetensors")
    return {name: named[name.replace("embed_out", "lm_head")] for name in in_file}


def make(name):
    folder = HERE / name
    model = make_model(name)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = model.double().eval()
    ids = torch.randint(0, VOCAB, (2, LENGTH), generator=torch.Generator().manual_seed(1))
    ids[:, 3] = 0  # the padding id, whose embedding gets no gradient as an input
    logits = model(input_ids=ids, use_cache=False).logits
    weights = (1 / (1 + torch.arange(VOCAB)).double().sqrt()).float()
    targets = ids[:, 1:].reshape(-1)
    ce = F.cross_entropy(logits[:, :-1].reshape(-1, VOCAB), targets, reduction="none")
    target_weights = weights.double()[targets]
    loss = (ce * target_weights).sum() / target_weights.sum()
    loss.backward()
    expected = {"input_ids": ids, "weights": weights, "logits": logits.detach(),
                "loss": loss.detach()}
    for file_name, parameter in names_in_file(model, folder).items():
        expected["gradient." + file_name] = parameter.grad.float()
    save_file({key: value.contiguous() for key, value in expected.items()},
              folder / "expected.safetensors")


if __name__ == "__main__":
    for family, _ in VARIANTS.values():
        make(family)  # of its first variant, which has its name
