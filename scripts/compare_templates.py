#!/usr/bin/env python3
"""Compares the chats of `pdl-train tokenize` with those of transformers, for chat templates in Jinja.

    .venv/bin/python scripts/compare_templates.py --binary build/release/pdl-train [--conversations N] FOLDER

For each .jinja file of FOLDER, N random conversations (20) with systems, tools, calls of tools, thoughts, white space and
control tokens in the texts are made of --seed alone. The tokenizer is a byte-level BPE that is trained here and has the
control tokens of all the templates.

ids    those of the program equal those of apply_chat_template(); where that refuses a conversation, so does the program
masks  with {% generation %}, they equal those of return_assistant_tokens_mask; without, in conversations of plain
       contents, the tokens that overlap a content of the assistant and the control token after it

stdout gets a line a template: how many conversations are right, refused alike, refused by the program alone, and wrong.
Exit codes: 0 nothing is wrong, 1 something is, 2 usage.
"""

import argparse
import collections
import contextlib
import datetime
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import transformers.utils.chat_template_utils as chat_template_utils
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

DATE = datetime.date(2026, 7, 4)
TIMEOUT_SECONDS = 120
VOCAB_SIZE = 2000
CONTROL = re.compile(r"<\|[^<>| \n]{1,40}\|>|<｜[^<>｜ \n]{1,40}｜>|</?s>|<(?:bos|eos|start_of_turn|end_of_turn)>")
GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
WORDS = [
    "alpha", "Beta", "naïve", "世界", "🙂", "<b>", "a & b", "x < y", "it's", '"quoted"', "\\n", "{{ }}", "{% if %}", "123",
    "3.14", "tab\there", "line\nbreak", "ÅNGSTRÖM", "zero\u200bwidth", "<|im_end|>", "</s>", "\u2028", "<think>",
]  # fmt: skip
PLAIN_WORDS = ["alpha", "Beta", "naïve", "世界", "it's", "123", "3.14", "gamma,", "delta."]


def text_of(rng, words=WORDS, most=8):
    return " ".join(rng.choice(words) for _ in range(rng.randint(1, most)))


def with_white_space(rng, text):
    return rng.choice(["", "", "", "  ", "\n\n"]) + text + rng.choice(["", "", "", "\n", " \n"])


def schema_of(rng, depth=0):
    kind = rng.choice(["string", "integer", "number", "boolean", "array", "object"] if depth < 2 else ["string"])
    schema = {"type": kind}
    if rng.random() < 0.7:
        schema["description"] = text_of(rng, most=3)
    if kind == "string" and rng.random() < 0.3:
        schema["enum"] = ["a", "b c"]
    if kind == "array":
        schema["items"] = schema_of(rng, depth + 1)
    if kind == "object":
        schema["properties"] = {f"p{i}": schema_of(rng, depth + 1) for i in range(rng.randint(0, 2))}
    return schema


def tool_of(rng, number):
    properties = {f"arg_{i}": schema_of(rng) for i in range(rng.randint(0, 3))}
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return {
        "type": "function",
        "function": {"name": f"tool_{number}", "description": text_of(rng, most=4), "parameters": parameters},
    }


def arguments_of(rng):
    values = {
        "city": text_of(rng, most=2), "n": rng.randint(-5, 100), "f": rng.choice([0.5, 1.0, 1e-7, 1e20]),
        "flag": rng.random() < 0.5, "none": None, "list": [1, "two", None], "dict": {"a": {"b": []}},
    }  # fmt: skip
    return {key: value for key, value in values.items() if rng.random() < 0.4}


def add_calls(rng, messages):
    calls = []
    for number in range(rng.choice([1, 1, 1, 2])):
        arguments = arguments_of(rng)
        function = {"name": f"tool_{number}", "arguments": arguments if rng.random() < 0.8 else json.dumps(arguments)}
        calls.append({"type": "function", "id": f"call{rng.randint(10000, 99999)}", "function": function})
    message = {"role": "assistant", "tool_calls": calls}
    content = rng.choice(["", None, text_of(rng), "absent"])
    if content != "absent":
        message["content"] = content
    messages.append(message)
    for call in calls:
        answer = {"role": "tool", "content": text_of(rng), "tool_call_id": call["id"]}
        if rng.random() < 0.6:
            answer["name"] = call["function"]["name"]
        messages.append(answer)


def conversation(rng):
    """Messages and tools of every kind."""
    messages = []
    tools = [tool_of(rng, i) for i in range(rng.randint(1, 3))] if rng.random() < 0.45 else None
    has_parts = rng.random() < 0.06
    if rng.random() < 0.5:
        messages.append({"role": "system", "content": with_white_space(rng, text_of(rng))})
    for _ in range(rng.randint(1, 4)):
        content = with_white_space(rng, text_of(rng))
        messages.append({"role": "user", "content": [{"type": "text", "text": content}] if has_parts else content})
        if tools and rng.random() < 0.6:
            add_calls(rng, messages)
        message = {"role": "assistant", "content": with_white_space(rng, text_of(rng))}
        kind = rng.random()
        if kind < 0.2:
            message["content"] = f"<think>\n{text_of(rng)}\n</think>\n\n" + message["content"]
        elif kind < 0.3:
            message["reasoning_content"] = text_of(rng)
        messages.append(message)
    return messages, tools


def plain_conversation(rng):
    """Messages whose contents are found in the text by a search."""
    messages = []
    for number in range(rng.randint(1, 4)):
        messages.append({"role": "user", "content": f"{text_of(rng, PLAIN_WORDS)} question{number}"})
        messages.append({"role": "assistant", "content": f"{text_of(rng, PLAIN_WORDS)} answer{number}"})
    return messages, None


class FrozenTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(DATE.year, DATE.month, DATE.day)


def make_tokenizer(folder, templates):
    controls = sorted({found for template in templates for found in CONTROL.findall(template)} | {"<s>", "</s>"})
    rng = random.Random(0)
    texts = [text_of(rng, PLAIN_WORDS + WORDS, 12) for _ in range(300)]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        [*templates, *texts],
        trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE + len(controls), initial_alphabet=alphabet, special_tokens=controls, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>")
    tokenizer.save_pretrained(folder)
    return tokenizer


class Reference:
    """What transformers makes of conversations with one template."""

    def __init__(self, tokenizer, template):
        self.tokenizer = tokenizer
        self.template = template
        self.special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}

    def ids(self, messages, tools):
        """None: the template refuses."""
        try:
            encoded = self.tokenizer.apply_chat_template(messages, tools=tools, chat_template=self.template, return_dict=True)
        except Exception:  # whatever Jinja or the template raises
            return None
        return encoded["input_ids"]

    def mask(self, messages, tools):
        """None: the place of a content is not found by a search."""
        if GENERATION.search(self.template):
            return self.tokenizer.apply_chat_template(
                messages, tools=tools, chat_template=self.template, return_dict=True, return_assistant_tokens_mask=True
            )["assistant_masks"]
        text = self.tokenizer.apply_chat_template(messages, tools=tools, chat_template=self.template, tokenize=False)
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        mask = [0] * len(ids)
        for message in messages:
            content = message["content"]
            if message["role"] != "assistant":
                continue
            if text.count(content) != 1:
                return None
            begin = text.index(content)
            end = begin + len(content)
            inside = [i for i, (first, last) in enumerate(offsets) if first < end and last > begin]
            for i in inside:
                mask[i] = 1
            for i in range(inside[-1] + 1, len(ids)):
                if ids[i] in self.special:
                    mask[i] = 1
                    break
                if text[offsets[i][0] : offsets[i][1]].strip():
                    break
        return mask


class Program:
    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder

    def tokenize(self, records):
        """For each record its line of output, or the message with which it is refused."""
        results = {}
        left = list(enumerate(records))
        while left:
            path = self.folder / "chats.jsonl"
            path.write_text("".join(json.dumps(record) + "\n" for _, record in left))
            command = [self.binary, "tokenize", "--tokenizer_path", self.folder / "tokenizer.json", "--num_threads", "1"]
            command += ["--chat_date", DATE.isoformat(), path]
            done = subprocess.run(
                list(map(str, command)), capture_output=True, timeout=TIMEOUT_SECONDS, check=False, text=True
            )
            if done.returncode == 0:
                for (number, _), line in zip(left, done.stdout.rstrip("\n").split("\n"), strict=True):
                    results[number] = json.loads(line)
                break
            error = next((line for line in done.stderr.splitlines() if line.startswith("error: ")), done.stderr)
            place = re.search(r"line (\d+): ", error)
            if done.returncode not in (2, 3, 4) or "template" not in error:
                raise SystemExit(f"pdl-train ended with {done.returncode}: {error}")
            # Without a line the template itself is refused.
            refused = range(len(left)) if place is None else [int(place[1]) - 1]
            for index in refused:
                results[left[index][0]] = error
            left = [entry for index, entry in enumerate(left) if index not in refused]
        return [results[number] for number in range(len(records))]


def difference(found, ids, mask):
    """What is wrong with a result of the program; "" if nothing."""
    if found["ids"] != ids:
        at = next((i for i, (a, b) in enumerate(zip(found["ids"], ids)) if a != b), min(len(found["ids"]), len(ids)))
        return f"id {at} of {len(ids)}: …{''.join(found['pieces'][max(0, at - 8):at + 8])}…"
    if mask is not None and found["trained"] != mask:
        at = next(i for i, (a, b) in enumerate(zip(found["trained"], mask)) if a != b)
        return f"token {at} is trained {found['trained'][at]}: …{''.join(found['pieces'][max(0, at - 8):at + 8])}…"
    return ""


def compare(name, reference, program, conversations, counts):
    """`conversations` are tuples of messages, tools and whether the mask is compared."""
    records = [
        {"messages": messages, **({} if tools is None else {"tools": tools})} for messages, tools, _ in conversations
    ]
    for number, (found, (messages, tools, has_mask)) in enumerate(zip(program.tokenize(records), conversations)):
        ids = reference.ids(messages, tools)
        if isinstance(found, str):
            counts["refused alike" if ids is None else "refused alone"] += 1
            if ids is not None:
                print(f"{name}: conversation {number}: {found}", file=sys.stderr)
            continue
        if ids is None:
            problem = "is refused by transformers alone"
        else:
            problem = difference(found, ids, reference.mask(messages, tools) if has_mask else None)
        counts["wrong" if problem else "right"] += 1
        if problem:
            print(f"{name}: conversation {number}: {problem}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--conversations", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.jinja"))
    if not paths:
        parser.error(f"{options.folder} holds no .jinja file")
    templates = [path.read_bytes().decode() for path in paths]
    chat_template_utils.datetime = FrozenTime
    totals = collections.Counter()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tokenizer = make_tokenizer(folder, templates)
        program = Program(options.binary, folder)
        for path, template in zip(paths, templates):
            (folder / "chat_template.jinja").write_bytes(template.encode())
            counts = collections.Counter()
            rng = random.Random(f"{options.seed} {path.name}")
            marks = GENERATION.search(template) is not None
            conversations = [(*conversation(rng), marks) for _ in range(options.conversations)]
            conversations += [(*plain_conversation(rng), True) for _ in range(options.conversations // 2)]
            compare(path.name, Reference(tokenizer, template), program, conversations, counts)
            totals.update(counts)
            print(f"{path.name}: " + ", ".join(f"{counts[key]} {key}" for key in ("right", "refused alike", "refused alone", "wrong")))
    print("total: " + ", ".join(f"{totals[key]} {key}" for key in ("right", "refused alike", "refused alone", "wrong")))
    return 1 if totals["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
