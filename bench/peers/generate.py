#!/usr/bin/env python3
"""Continues prompts with transformers' generate() and its cache, as a user would write it.

    generate.py MODEL PROMPTS.jsonl --max_new_tokens N [--sample] --threads N
"""

import argparse
import json

import torch
import transformers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("prompts")
    parser.add_argument("--max_new_tokens", type=int, required=True)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with open(arguments.prompts, encoding="utf-8") as file:
        prompts = [json.loads(line)["prompt"] for line in file]
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    options = {"temperature": 0.8, "top_p": 0.9, "top_k": 0} if arguments.sample else {}
    with torch.inference_mode():
        output = model.eval().generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
            do_sample=arguments.sample, max_new_tokens=arguments.max_new_tokens,
            min_new_tokens=arguments.max_new_tokens, pad_token_id=tokenizer.pad_token_id, **options,
        )  # fmt: skip
    print(len(tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :])))


if __name__ == "__main__":
    main()
