"""Documents and training sequences, worked out without pdl-train."""

import dataclasses
import json

import numpy


@dataclasses.dataclass
class Document:
    ids: list
    trained: list  # 1 or 0 for each id


@dataclasses.dataclass
class Sequence:
    """A row: its ids, which of them are targets, and where its documents begin."""

    ids: list
    trained: list
    starts: list

    @classmethod
    def of_one_document(cls, ids):
        return cls(list(ids), [0] + [1] * (len(ids) - 1), [0])


def pack(documents, max_length):
    """The rows of packed documents: their stream, cut every `max_length` tokens."""
    ids, trained, starts = [], [], set()
    for document in documents:
        starts.add(len(ids))
        ids += document.ids
        trained += document.trained
    rows = []
    for begin in range(0, len(ids), max_length):
        end = min(begin + max_length, len(ids))
        if end - begin < 2:
            continue
        inner = [start - begin for start in sorted(starts) if begin < start < end]
        rows.append(Sequence(ids[begin:end], [0] + trained[begin + 1:end], [0] + inner))
    return rows


def count_targets(rows, vocab_size):
    """How often each token is a target, as float64."""
    targets = [i for row in rows for i, trained in zip(row.ids, row.trained) if trained]
    return numpy.bincount(targets, minlength=vocab_size).astype(numpy.float64)


# ------------------------------------------------------------------------------------ documents


def paragraphs(path):
    """Runs of lines that hold more than white space."""
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = file.read().removeprefix("\ufeff").split("\n")
    texts, current = [], []
    for line in [*lines, ""]:
        if line.strip():
            current.append(line.removesuffix("\r"))
        elif current:
            texts.append("\n".join(current))
            current = []
    return texts


def text_documents(path, tokenizer):
    """The paragraphs of a text, each with the end of text behind it."""
    documents = []
    for text in paragraphs(path):
        ids = tokenizer.encode(text, add_special_tokens=False) + [tokenizer.eos_token_id]
        documents.append(Document(ids, [1] * len(ids)))
    return documents


def chat_documents(path, tokenizer):
    """The chats of a JSONL file, by the tokenizer's template."""
    with open(path, encoding="utf-8") as file:
        return [chat_document(json.loads(line)["messages"], tokenizer) for line in file]


def chat_document(messages, tokenizer):
    """A chat: its assistants' contents are trained, each with the control token that ends it."""
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    trained = [0] * len(ids)
    special = set(tokenizer.all_special_ids)
    for begin, end in content_spans(messages, text, tokenizer):
        for i, (first, last) in enumerate(offsets):
            if first >= begin and last <= end and first < last:
                trained[i] = 1
        after = next((i for i, (first, _) in enumerate(offsets) if first >= end), len(ids))
        while after < len(ids) and ids[after] not in special and not text[slice(*offsets[after])].strip():
            after += 1
        if after < len(ids) and ids[after] in special:
            trained[after] = 1
    return Document(ids, trained)


def content_spans(messages, text, tokenizer):
    """Where the contents of the assistants are in the rendered text.

    A chat up to an assistant's message is rendered with and without it; its content is sought
    behind what both have in common.
    """
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(
            messages[:index], tokenize=False, add_generation_prompt=True
        )
        content = message["content"] if message["content"] in text else message["content"].strip()
        begin = text.index(content, len(before) if text.startswith(before) else 0)
        spans.append((begin, begin + len(content)))
    return spans


def make_chats(path, count):
    """Chats of one to three turns made of the paragraphs of a text, some with a system prompt."""
    texts = [text for text in paragraphs(path) if 80 < len(text) < 1000]
    if len(texts) < 3:
        raise ValueError(f"{path} has too few paragraphs for chats")
    chats = []
    for index in range(count):
        messages = [{"role": "system", "content": "Continue the text."}] if index % 3 == 0 else []
        for turn in range(1 + index % 3):
            text = texts[(index * 3 + turn) % len(texts)].strip()
            cut = text.find(" ", 30 + index % 17)
            question = f"What follows?\n{text[:cut]}" if index % 2 else text[:cut]
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": text[cut:].strip()})
        chats.append(messages)
    return chats
