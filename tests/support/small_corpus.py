"""A small text of a random grammar and a tokenizer for it, for tests that train."""

import random

import sentencepiece


def make_corpus(seed):
    """Text of a random grammar: words of syllables, sentences of three patterns."""
    generator = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]

    def words(count):
        return [
            "".join(generator.choices(syllables, k=generator.randint(1, 3))) for _ in range(count)
        ]

    nouns, verbs, adjectives = words(60), words(30), words(20)
    lines = []
    for _ in range(400):
        subject, object_ = generator.choices(nouns, k=2)
        verb, adjective = generator.choice(verbs), generator.choice(adjectives)
        lines.append(
            generator.choice(
                (
                    f"The {adjective} {subject} {verb} the {object_}.",
                    f"A {subject} {verb}, and the {object_} is {adjective}.",
                    f"{subject.capitalize()} {verb} {object_}!",
                )
            )
        )
    return "\n".join(lines) + "\n"


def make_tokenizer(corpus_path, prefix):
    """Trains a SentencePiece model; returns the path of the .model file."""
    sentencepiece.SentencePieceTrainer.train(
        input=corpus_path,
        model_prefix=prefix,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        num_threads=1,
        minloglevel=2,
    )
    return prefix + ".model"
