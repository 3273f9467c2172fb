#!/usr/bin/env python3
"""Compares the texts of `pdl-train generate` with those of transformers, token for token.

    .venv/bin/python scripts/compare_generation.py MODEL --binary build/release/pdl-train [--text FILE] [--tokens N]

MODEL is a Hugging Face folder with its tokenizer; with --torchscript FILE the program runs that file of the same model.
Prompts (--prompts of them, 16) are the first words of paragraphs of --text, or made of --seed alone. Each set of options is
run by both programs in float32: greedy search and sampling, every option alone and all together. For sampling, transformers
runs a greedy search whose last logits processor adds this program's noise, computed here from the formula in
include/pdl/generation/sampling/sampling.h.

stdout gets a line a set of options: how many samples are equal, how many differ first where the two best sums are within
1e-4, which float32 does not decide, and where the first other difference is.
Exit codes: 0 all samples are equal or differ by such a margin alone, 1 one differs, 2 usage.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
import sentencepiece
import torch
import transformers

MARGIN = 1e-4
GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

OPTION_SETS = [
    {},
    {"min_new_tokens": 20},
    {"repetition_penalty": 1.3},
    {"no_repeat_ngram_size": 3},
    {"temperature": 1.0},
    {"temperature": 0.7},
    {"temperature": 1.0, "top_k": 20},
    {"temperature": 1.0, "top_p": 0.8},
    {"temperature": 1.0, "min_p": 0.1},
    {"temperature": 0.9, "top_k": 40, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2, "no_repeat_ngram_size": 4,
     "min_new_tokens": 10},
]


def mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def noise_of(seed, prompt, position, size):
    """The Gumbel noise of the first `size` ids at a position of sample 0."""
    key = 0
    for word in [seed, *prompt, 0, position]:
        key = mix((key + word + GOLDEN) & MASK)
    with numpy.errstate(over="ignore"):
        hashes = numpy.uint64(key) + numpy.arange(1, size + 1, dtype=numpy.uint64) * numpy.uint64(GOLDEN)
        for shift, factor in [(30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)]:
            hashes = (hashes ^ (hashes >> numpy.uint64(shift))) * numpy.uint64(factor)
        hashes ^= hashes >> numpy.uint64(31)
    uniform = ((hashes >> numpy.uint64(12)).astype(numpy.float64) + 0.5) * 2.0**-52
    return -numpy.log(-numpy.log(uniform))


class AddedNoise(transformers.LogitsProcessor):
    """Adds the noise in float64, and keeps how far the best sum is from the next."""

    def __init__(self, seed, prompt, draws):
        self.seed, self.prompt, self.draws, self.margins = seed, prompt, draws, []

    def __call__(self, input_ids, scores):
        sums = scores.double()
        if self.draws:
            sums = sums + torch.from_numpy(noise_of(self.seed, self.prompt, input_ids.shape[1], scores.shape[1]))
        best = sums.topk(2).values[0]
        self.margins.append((best[0] - best[1]).item())
        return sums


def reference(model, ids, options, tokens, seed):
    """transformers' ids, and the margin of each choice."""
    options = dict(options)
    draws = options.get("temperature", 0) > 0
    processors = transformers.LogitsProcessorList()
    warpers = transformers.generation.logits_process
    for name, make in [("temperature", warpers.TemperatureLogitsWarper), ("top_k", warpers.TopKLogitsWarper),
                       ("top_p", warpers.TopPLogitsWarper), ("min_p", warpers.MinPLogitsWarper)]:
        if name in options:
            processors.append(make(options.pop(name)))
    noise = AddedNoise(seed, ids, draws)
    processors.append(noise)
    with torch.no_grad():
        output = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                                do_sample=False, num_beams=1, max_new_tokens=tokens, logits_processor=processors,
                                pad_token_id=0, **options)
    return output[0, len(ids):].tolist(), noise.margins


def run_program(arguments, prompts, options, folder, extra=()):
    prompt_file = folder / "prompts.jsonl"
    prompt_file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts), encoding="utf-8")
    output = folder / "samples.jsonl"
    command = [arguments.binary, "generate", "--model_path", arguments.torchscript or arguments.model, "--tokenizer_path", arguments.model,
               "--prompts", str(prompt_file), "--output", str(output), "--max_new_tokens", str(arguments.tokens),
               "--seed", str(arguments.seed), *extra]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def make_prompts(arguments):
    generator = random.Random(arguments.seed)
    if arguments.text:
        lines = [line.strip() for line in pathlib.Path(arguments.text).read_text(encoding="utf-8").splitlines()]
        lines = [line for line in lines if len(line.split()) >= 12]
        return [" ".join(line.split()[:generator.randint(1, 12)]) for line in generator.sample(lines, arguments.prompts)]
    words = "the of a day long sea wind two after she told him never green house light stone water".split()
    return [" ".join(generator.choices(words, k=generator.randint(1, 12))) for _ in range(arguments.prompts)]


def load_tokenizer(folder):
    """The function from a text to ids, and the eos; of tokenizer.model by its own library."""
    path = pathlib.Path(folder) / "tokenizer.model"
    if path.exists():
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        return processor.encode, processor.eos_id()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return lambda text: tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id


def compare(model, arguments, prompts, options, folder):
    """Returns how many samples are equal, how many differ by a margin alone, and the first real difference."""
    samples = run_program(arguments, prompts, options, folder)
    equal = near = 0
    problem = None
    for sample, ids in zip(samples, arguments.prompt_ids):
        expected, margins = reference(model, ids, options, arguments.tokens, arguments.seed)
        if sample["ids"] == expected:
            equal += 1
            continue
        place = next((i for i, (a, b) in enumerate(zip(sample["ids"], expected)) if a != b),
                     min(len(sample["ids"]), len(expected)))
        if place < len(margins) and margins[place] < MARGIN:
            near += 1
        elif problem is None:
            problem = f"prompt {sample['prompt_index']}, token {place}: {sample['ids'][place:place + 3]} for {expected[place:place + 3]}"
    return equal, near, problem


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("--binary", default="build/release/pdl-train")
    parser.add_argument("--torchscript")
    parser.add_argument("--text")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    encode, eos = load_tokenizer(arguments.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    # Fields that generate() would merge in silently.
    model.generation_config = transformers.GenerationConfig(eos_token_id=eos)
    prompts = make_prompts(arguments)
    arguments.prompt_ids = [encode(prompt) for prompt in prompts]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for options in OPTION_SETS:
            equal, near, problem = compare(model, arguments, prompts, options, pathlib.Path(folder))
            failed |= problem is not None
            print(f"{options or 'greedy'}: {equal} of {len(prompts)} equal, {near} differ where the margin is below {MARGIN}"
                  + (f"; DIFFERS: {problem}" if problem else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
