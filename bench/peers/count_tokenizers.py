"""Counts with the package tokenizers, in all threads: count_tokenizers.py TOKENIZER TEXT OUTPUT THREADS."""

import counting
import numpy
import tokenizers


def main():
    path, text, output, _ = counting.arguments()  # RAYON_NUM_THREADS sets the threads.
    tokenizer = tokenizers.Tokenizer.from_file(path)
    counts = numpy.zeros(tokenizer.get_vocab_size(), dtype=numpy.int64)
    for block in counting.blocks_of_lines(text):
        encodings = tokenizer.encode_batch_fast(block, add_special_tokens=False)
        ids = numpy.concatenate([encoding.ids for encoding in encodings]).astype(numpy.int64)
        counts += numpy.bincount(ids, minlength=len(counts))
    counting.write_counts(output, counts.tolist())


if __name__ == "__main__":
    main()
