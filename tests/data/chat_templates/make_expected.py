#!/usr/bin/env python3
"""Prints expected.json: the text that transformers makes of conversations with a published chat template.

    make_expected.py NAME=TEMPLATE_FILE… > expected.json

NAME is chatml, llama2 or llama3. TEMPLATE_FILE holds the template alone, as the value of "chat_template" in the model's
tokenizer_config.json (decoded from JSON): for chatml teknium/OpenHermes-2.5-Mistral-7B, for llama2
meta-llama/Llama-2-7b-chat-hf, for llama3 meta-llama/Meta-Llama-3-8B-Instruct. Needs transformers; expected.json was made
with version 5.23.0. A conversation that the template refuses has the text null.
"""

import itertools
import json
import sys

import jinja2
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

BOS_EOS = {"chatml": ("<s>", "</s>"), "llama2": ("<s>", "</s>"), "llama3": ("<|begin_of_text|>", "<|eot_id|>")}

# Python's str.isspace, some neighbours that are not, and text that could be taken for a template's.
WHITE_SPACE = "".join(chr(c) for c in range(0x110000) if chr(c).isspace())
CONTENTS = [
    "Hello",
    "",
    " ",
    "  two blanks around  ",
    "\n\nlines\n\nand\r\nlines\n",
    "\u3000 ideographic \u00a0",
    "\u200bzero width\ufeff",
    "\u180enot white space\u2060",
    "Grüße, 世界 🙂👩‍👩‍👧 e\u0301",
    "<|im_end|> </s> <|eot_id|> [/INST] <<SYS>>",
    "{{ messages }} {% raise %} \\n \"quoted\" 'single'",
    WHITE_SPACE + "x" + WHITE_SPACE + "y" + WHITE_SPACE,
    "a\u0000b",
]


def turns(*roles):
    """Conversations with these roles: one for each content, each message with another."""
    count = len(CONTENTS)
    return [
        [{"role": role, "content": CONTENTS[(first + 5 * i) % count]} for i, role in enumerate(roles)]
        for first in range(count)
    ]


def conversations():
    roles = ("system", "user", "assistant")
    yield from itertools.chain(
        turns("user"),
        turns("user", "assistant"),
        turns("system", "user", "assistant"),
        turns("system", "user", "assistant", "user", "assistant"),
        turns("user", "assistant", "user"),
    )
    # Every order of up to three roles, and some with a tool.
    for length in (1, 2, 3):
        for order in itertools.product(roles, repeat=length):
            yield [{"role": role, "content": f" {role} {i} "} for i, role in enumerate(order)]
    yield [{"role": role, "content": role} for role in ("user", "assistant", "tool", "assistant")]


def main() -> int:
    result = {}
    for argument in sys.argv[1:]:
        name, _, path = argument.partition("=")
        bos, eos = BOS_EOS[name]
        with open(path, encoding="utf-8") as file:
            template = file.read()
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE()), bos_token=bos, eos_token=eos, chat_template=template
        )
        result[name] = []
        for messages in conversations():
            try:
                text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
            except jinja2.exceptions.TemplateError:
                text = None
            result[name].append({"messages": messages, "text": text})
    json.dump(result, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
