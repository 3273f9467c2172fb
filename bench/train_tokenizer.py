"""Trains a tokenizer for bench/counting.py: train_tokenizer.py KIND TEXT OUTPUT VOCAB_SIZE.

KIND is bpe or unigram (SentencePiece, with the settings of Llama's tokenizer: no normalisation, digits
apart, bytes for unknown characters) or bytes (tokenizer.json: byte-level BPE with GPT-2's pre-tokeniser).
"""

import sys


def train_sentencepiece(kind, text, output, vocab_size):
    import sentencepiece

    with open(text, encoding="utf-8") as lines, open(output, "wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines,
            model_writer=model,
            model_type=kind,
            vocab_size=vocab_size,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            byte_fallback=True,
            split_digits=True,
            character_coverage=0.9995,
            num_threads=2,  # The result depends on it.
            minloglevel=2,
        )


def train_bytes(text, output, vocab_size):
    import tokenizers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([text], trainer)
    tokenizer.save(output)


def main():
    kind, text, output, vocab_size = sys.argv[1:]
    if kind == "bytes":
        train_bytes(text, output, int(vocab_size))
    else:
        train_sentencepiece(kind, text, output, int(vocab_size))


if __name__ == "__main__":
    main()
