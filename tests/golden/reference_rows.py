"""From text files to the batches that the reference trainer trains on."""

import itertools

from reference_config import ConfigError
import torch

IGNORE_TARGET = -100


def read_documents(path, kind):
    """Documents of a text file: the file, its lines, or its paragraphs; empty ones left out."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    if kind == "file":
        documents = [text]
    else:
        documents = text.replace("\r\n", "\n").split("\n")
    if kind == "paragraph":
        documents = join_paragraphs(documents)
    return [document for document in documents if document.strip()]


def join_paragraphs(lines):
    """Joins runs of lines that hold more than white space."""
    paragraphs = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        else:
            paragraphs.append([])
    return ["\n".join(paragraph) for paragraph in paragraphs]


def tokenize_files(config, tokenizer, files):
    """Ids of each document of some files, with bos and eos as configured."""
    bos = [tokenizer.bos_id()] if config["add_bos"] else []
    eos = [tokenizer.eos_id()] if config["add_eos"] else []
    if -1 in bos + eos:
        raise ConfigError("add_bos or add_eos: the tokenizer has no such token")
    return [
        bos + tokenizer.encode(document) + eos
        for path in files
        for document in read_documents(path, config["text_document"])
    ]


def make_rows(config, documents):
    """Cuts the documents into sequences of at most max_length ids.

    With packing the documents are one stream. A row of one id would have no target and is left
    out.
    """
    streams = [list(itertools.chain(*documents))] if config["packing"] else documents
    length = config["max_length"]
    rows = [ids[i : i + length] for ids in streams for i in range(0, len(ids), length)]
    return [row for row in rows if len(row) > 1]


def make_batch(rows, pad_id):
    """Ids and targets, both int64 [B, T]; a position's target is the next id of its sequence."""
    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), pad_id)
    targets = torch.full((len(rows), length), IGNORE_TARGET)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        targets[i, : len(row) - 1] = torch.tensor(row[1:])
    return ids, targets


def batches_of(rows, size):
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def find_pad_id(tokenizer):
    """The pad id, else eos, else 0."""
    candidates = (tokenizer.pad_id(), tokenizer.eos_id(), 0)
    return next(token for token in candidates if token >= 0)
