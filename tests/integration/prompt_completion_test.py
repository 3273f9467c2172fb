"""The tokens of a prompt and a completion, with tokenizers that put something before the first word.

    python tests/integration/prompt_completion_test.py --binary build/release/pdl-train

or with the binary in PDL_TRAIN_BINARY. Needs the packages tokenizers and sentencepiece.
"""

import itertools
import json
import pathlib
import random
import sys
import tempfile
import unittest

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import program  # noqa: E402

SENTENCES = [
    "the cat and the mat, the answer: yes it is",
    "an answer is an answer; is it? yes and no.",
    "[INST] why is the cat on the mat [/INST] the mat is there",
    "hello hello there where is the other mother",
] * 50


N = normalizers
LLAMA = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])


def metaspace(scheme, split=True):
    return None, pre_tokenizers.Metaspace("▁", scheme, split), LLAMA


# Normalizer, pre-tokenizer, decoder.
SHAPES = {
    "Metaspace always": metaspace("always"),
    "Metaspace first": metaspace("first"),
    "Metaspace first, whole": metaspace("first", False),
    "Metaspace never": (None, pre_tokenizers.Metaspace("▁", "never"), decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])),
    "Prepend": (N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, LLAMA),
    "ByteLevel": (None, pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()),
    "ByteLevel, no space": (None, pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()),
}


def json_tokenizer(name, is_unigram, path):
    """Saves it; returns its encoder and its decoder, which drops what is put before the first word."""
    normalizer, pre_tokenizer, decoder = SHAPES[name]
    tokenizer = Tokenizer(models.Unigram() if is_unigram else models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    settings = {"vocab_size": 120, "special_tokens": ["<unk>"], "show_progress": False}
    if is_unigram:
        trainer = trainers.UnigramTrainer(unk_token="<unk>", **settings)
    else:
        trainer = trainers.BpeTrainer(**settings)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.decoder = decoder
    tokenizer.save(str(path))

    def decode(ids):
        text = tokenizer.decode(ids)
        return text[1:] if name == "ByteLevel" else text

    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids, decode


def sentencepiece_model(options, path, sentences=SENTENCES):
    with open(path, "wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences), model_writer=writer, minloglevel=2, num_threads=1, hard_vocab_limit=False,
            **options)  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return processor.encode, processor.decode


def collapsed(text):
    """As a model with remove_extra_whitespaces takes it."""
    return " ".join(text.split())


def pairs():
    """Prompts and completions with the boundary in a word, before, after and in a run of blanks; all in known characters."""
    source = random.Random(3)
    made = [("Answer: ", "yes"), ("the answer:", " yes"), ("the answer: ", "yes"), ("the an", "swer is"), ("the", " cat"),
            ("the  ", "  cat"), ("the cat on th", "e mat"), ("hel", "lo"), ("[INST] why [/INST] ", "the mat"), ("a", "b")]  # fmt: skip
    for _ in range(150):
        text = source.choice(SENTENCES).replace(" ", source.choice([" ", " ", "  "]))
        at = source.randrange(1, len(text))
        made.append((text[:at], text[at:]))
    return made


class PromptCompletionTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.pairs = pairs()
        self.records = self.folder / "pairs.jsonl"
        self.records.write_text("".join(json.dumps({"prompt": a, "completion": b}) + "\n" for a, b in self.pairs))

    def tokens(self, path, *options):
        result = program.run("tokenize", "--tokenizer_path", path, "--add_eos", "false", *options, self.records)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def check(self, path, encode, decode, normalize=str):
        """Returns how many boundaries lay in a token."""
        found = self.tokens(path)
        num_inside = 0
        for (prompt, completion), tokens in zip(self.pairs, found, strict=True):
            first, whole, ids = encode(prompt), encode(prompt + completion), tokens["ids"]
            context = f"{prompt!r} {completion!r} {tokens['pieces']}"
            self.assertEqual(ids[: len(first)], first, context)
            self.assertEqual(tokens["trained"], [0] * len(first) + [1] * (len(ids) - len(first)), context)
            if whole[: len(first)] == first:
                self.assertEqual(ids, whole, context)
            else:
                num_inside += 1
            if not any(piece == "<unk>" for piece in tokens["pieces"]):
                self.assertEqual(decode(ids), normalize(prompt + completion), context)
        trained = self.tokens(path, "--completion_only_loss", "false")
        self.assertEqual([tokens["ids"] for tokens in trained], [tokens["ids"] for tokens in found])
        self.assertEqual({mark for tokens in trained for mark in tokens["trained"]}, {1})
        return num_inside

    def test_tokenizer_json(self):
        for name, is_unigram in itertools.product(SHAPES, (False, True)):
            with self.subTest(name, is_unigram=is_unigram):
                path = self.folder / "tokenizer.json"
                encode, decode = json_tokenizer(name, is_unigram, path)
                self.assertGreater(self.check(path, encode, decode), 5)

    def test_sentencepiece(self):
        for model_type, prefix, extra, rule in itertools.product(
            ("unigram", "bpe"), (True, False), (True, False), ("identity", "nmt_nfkc")
        ):
            with self.subTest(model_type, prefix=prefix, extra=extra, rule=rule):
                path = self.folder / "tokenizer.model"
                options = {"model_type": model_type, "vocab_size": 90, "add_dummy_prefix": prefix,
                           "remove_extra_whitespaces": extra, "normalization_rule_name": rule}  # fmt: skip
                encode, decode = sentencepiece_model(options, path)
                self.assertGreater(self.check(path, encode, decode, collapsed if extra else str), 5)

    def test_what_is_trained_of_a_chat_changes_no_token(self):
        """Pieces reach over the boundaries between what the assistant says and the rest."""
        path = self.folder / "tokenizer.model"
        written = [text.format(*pair) for pair in self.pairs for text in (
            "User: {} Assistant: {}", "assistant {} <|im_end|>", "[INST] {} [/INST] {} </s>")]  # fmt: skip
        options = {"model_type": "bpe", "vocab_size": 200, "split_by_whitespace": False, "split_by_unicode_script": False}
        sentencepiece_model(options, path, written)
        for template in ("plain", "chatml", "llama2"):
            with self.subTest(template):
                found = []
                for more, flag in (({}, "true"), ({}, "false"), ({"weight": 0}, "true")):
                    self.records.write_text("".join(
                        json.dumps({"messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b, **more}]}) + "\n"
                        for a, b in self.pairs))  # fmt: skip
                    tokens = self.tokens(path, "--chat_template", template, "--completion_only_loss", flag)
                    found.append([document["ids"] for document in tokens])
                self.assertEqual(found[1], found[0])
                self.assertEqual(found[2], found[0])

    def test_a_blank_that_the_prompt_loses_is_kept(self):
        """A piece reaches over the blank between the words, so that the boundary lies in a token."""
        path = self.folder / "tokenizer.model"
        options = {"model_type": "unigram", "vocab_size": 90, "split_by_whitespace": False}
        encode, decode = sentencepiece_model(options, path)
        self.check(path, encode, decode, collapsed)


if __name__ == "__main__":
    program.main()
