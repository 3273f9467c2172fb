"""What a trained folder needs beside the program: the files of the original, and the names of its tensors."""

import glob
import json
import os

from safetensors import safe_open
import torch

# Files of transformers' models, tokenizers and chat templates, which training does not change.
FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
         "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "spiece.model",
         "sentencepiece.bpe.model", "tekken.json", "chat_template.jinja", "chat_template.json")  # fmt: skip
TEMPLATES = "additional_chat_templates"
PREFIX = "hf/"
DTYPES = ("float32", "bfloat16", "float16")


def companion_files(folder):
    """Content by name, below PREFIX, of the files beside the weights."""
    names = [name for name in FILES if os.path.isfile(os.path.join(folder, name))]
    templates = sorted(glob.glob(os.path.join(glob.escape(folder), TEMPLATES, "*.jinja")))
    names += [f"{TEMPLATES}/{os.path.basename(path)}" for path in templates]
    contents = {}
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            contents[PREFIX + name] = file.read()
    return contents


def folder_tensors(folder):
    """Yields name and tensor of all that the folder's files of weights hold."""
    single = os.path.join(folder, "model.safetensors")
    index = single + ".index.json"
    if os.path.isfile(single):
        paths = [single]
    elif os.path.isfile(index):
        with open(index, encoding="utf-8") as file:
            names = set(json.load(file)["weight_map"].values())
        paths = [os.path.join(folder, name) for name in sorted(names)]
    else:  # pickled
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), "pytorch_model*.bin"))):
            yield from torch.load(path, map_location="cpu", weights_only=True, mmap=True).items()
        return
    for path in paths:
        with safe_open(path, "pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def stored_weights(folder, model):
    """Which tensor of the model each tensor of the folder is, in the order of the folder's names.

    A name is found by adding or leaving out the prefix of the model's body. What is left, because
    transformers renames it, is found by its values. What belongs to no parameter or persistent
    buffer is left out: the model does not use it, or computes it.

    Returns:
      A list of {"name", "program_name", "dtype"}. None if the folder does not hold all of the
      model's tensors one by one, so that no such folder can be written.
    """
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    prefix = model.base_model_prefix + "."
    weights, others = [], []
    for name, tensor in folder_tensors(folder):
        near = (name, prefix + name, name.removeprefix(prefix))
        found = [other for other in near if other in state and is_same(tensor, state[other])]
        if found:
            weights.append(weight(name, found[0], tensor))
        else:
            others.append((name, tensor))
    uncovered = not_covered(state, weights)
    for name, tensor in others:
        found = [other for other in uncovered if is_same(tensor, state[other])]
        if len(found) > 1:
            return None
        weights += [weight(name, other, tensor) for other in found]
    if not_covered(state, weights):
        return None
    return sorted(weights, key=lambda entry: entry["name"])


def weight(name, program_name, tensor):
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"name": name, "program_name": program_name, "dtype": dtype if dtype in DTYPES else None}


def not_covered(state, weights):
    """Names of tensors that are neither in `weights` nor tied to one that is."""
    covered = {state[entry["program_name"]].data_ptr() for entry in weights}
    return [name for name, value in state.items() if value.data_ptr() not in covered]


def is_same(tensor, value):
    return tensor.shape == value.shape and torch.equal(tensor.to(value.dtype), value)
