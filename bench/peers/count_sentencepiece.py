"""Counts with the package sentencepiece, in processes: count_sentencepiece.py MODEL TEXT OUTPUT PROCESSES."""

import collections
import multiprocessing

import counting
import sentencepiece

processor = sentencepiece.SentencePieceProcessor()


def count(lines):
    counts = collections.Counter()
    for line in lines:
        counts.update(processor.encode(line))
    return counts


def main():
    model, text, output, processes = counting.arguments()
    processor.load(model)
    counts = collections.Counter()
    with multiprocessing.Pool(processes, initializer=processor.load, initargs=(model,)) as pool:
        for part in pool.imap_unordered(count, counting.blocks_of_lines(text)):
            counts.update(part)
    counting.write_counts(output, (counts[i] for i in range(processor.get_piece_size())))


if __name__ == "__main__":
    main()
