"""The common part of the programs that count tokens."""

import itertools
import json
import sys

BLOCK_LINES = 10_000


def blocks_of_lines(path):
    """Lines of a text without their line ends, in lists."""
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = (line.removesuffix("\n") for line in file)
        while block := list(itertools.islice(lines, BLOCK_LINES)):
            yield block


def arguments():
    """Tokenizer, text, output and threads, as bench/counting.py gives them."""
    tokenizer, text, output, threads = sys.argv[1:]
    return tokenizer, text, output, int(threads)


def write_counts(path, counts):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"counts": list(counts)}, file)
