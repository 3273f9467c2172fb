"""Counts with a tokenizer of transformers, line by line: count_transformers.py FOLDER TEXT OUTPUT THREADS."""

import collections

import counting
import transformers


def main():
    folder, text, output, _ = counting.arguments()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    counts = collections.Counter()
    for block in counting.blocks_of_lines(text):
        for line in block:
            counts.update(tokenizer(line, add_special_tokens=False)["input_ids"])
    counting.write_counts(output, (counts[i] for i in range(len(tokenizer))))


if __name__ == "__main__":
    main()
