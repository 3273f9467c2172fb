"""Makes the input of a comparison: a made-up text and, for a named shape, a tokenizer and a model.

    prepare.py FOLDER --tokens N [--shape NAME]

writes FOLDER/train.txt with at least N tokens and, with --shape, FOLDER/tokenizer.model and the
random model FOLDER/model, as save_pretrained writes it. The same arguments give the same files.
"""

import argparse
import io
import os
import random

# Arguments of AutoConfig.for_model. Without dropout, so that all programs compute the same losses.
SHAPES = {
    "gpt2-15m": {
        "model_type": "gpt2",
        "vocab_size": 32000,
        "n_embd": 256,
        "n_layer": 8,
        "n_head": 8,
        "n_positions": 256,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    },
    "llama-260k": {
        "model_type": "llama",
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 172,
        "num_hidden_layers": 5,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    },
}

CONTROL_PIECES = 3  # unk, bos and eos of a SentencePiece model.
WORDS_OF_A_LINE = 20
SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnpqrstvwxz" for vowel in "aeiou"]

# Different words of a text for a tokenizer that was not made here.
DEFAULT_WORDS = 10000


def make_words(count):
    """Different words of three syllables."""
    base = len(SYLLABLES)
    return [
        SYLLABLES[i % base] + SYLLABLES[i // base % base] + SYLLABLES[i // base**2]
        for i in range(count)
    ]


def make_lines(words, num_tokens):
    """Lines of words that are as unequally frequent as those of a language (Zipf's law)."""
    generator = random.Random(1)
    weights = [1 / (rank + 3) for rank in range(len(words))]
    drawn = generator.choices(words, weights, k=num_tokens)
    return [" ".join(drawn[i : i + WORDS_OF_A_LINE]) for i in range(0, len(drawn), WORDS_OF_A_LINE)]


def write_tokenizer(path, words, vocab_size):
    """Trains a tokenizer that has one piece for each word."""
    import sentencepiece  # A user's own model needs no tokenizer from here.

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words),
        model_writer=model,
        model_type="word",
        vocab_size=vocab_size,
        minloglevel=2,
    )
    with open(path, "wb") as file:
        file.write(model.getvalue())


def write_model(folder, shape):
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(**SHAPES[shape])
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("folder")
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--shape", choices=SHAPES)
    options = parser.parse_args()
    if options.shape:
        vocab_size = SHAPES[options.shape]["vocab_size"]
        words = make_words(vocab_size - CONTROL_PIECES)
        write_tokenizer(os.path.join(options.folder, "tokenizer.model"), words, vocab_size)
        write_model(os.path.join(options.folder, "model"), options.shape)
    else:
        words = make_words(DEFAULT_WORDS)
    with open(os.path.join(options.folder, "train.txt"), "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in make_lines(words, options.tokens))


if __name__ == "__main__":
    main()
