"""The ids of a tokenizer.json are those of the package `tokenizers`, for tokenizers trained here in every shape.

    python tests/integration/tokenizer_json_test.py --binary build/release/pdl-train

or with the binary in PDL_TRAIN_BINARY. Needs the package tokenizers.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import program  # noqa: E402

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]"
          r"|\s+(?!\S)|\s")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"

N = normalizers
P = pre_tokenizers


def split_then_bytes(expression, behavior="isolated", invert=False):
    return P.Sequence([P.Split(Regex(expression), behavior, invert),
                       P.ByteLevel(add_prefix_space=False, use_regex=False)])


BYTES = {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
UNKNOWN = {"unk_token": "<unk>"}
# Name: normalizer, pre-tokenizer, options of BPE; None for Unigram.
SHAPES = {
    "gpt2": (None, P.ByteLevel(add_prefix_space=False), {}),
    "gpt2, prefix": (None, P.ByteLevel(add_prefix_space=True), {}),
    "llama3": (None, split_then_bytes(LLAMA3), {"ignore_merges": True}),
    "cl100k": (None, split_then_bytes(CL100K), {}),
    "cl100k, removed": (None, split_then_bytes(CL100K, "removed", True), {}),
    "o200k": (None, split_then_bytes(O200K), {}),
    "qwen2": (N.NFC(), split_then_bytes(QWEN2), {}),
    "bloom": (None, split_then_bytes(BLOOM), {}),
    "digits": (None, P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)]), {}),
    "digit groups": (N.NFKC(), P.Sequence([P.Digits(False), P.ByteLevel(add_prefix_space=True)]), {}),
    "llama2": (N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, BYTES),
    "mistral": (None, P.Metaspace("▁", "first", split=False), BYTES),
    "gemma": (N.Replace(" ", "▁"), P.Split(" ", "merged_with_previous"), BYTES),
    "metaspace": (None, P.Metaspace("▁", "always"), UNKNOWN),
    "metaspace, never": (N.NFKD(), P.Metaspace("▁", "never"), {"unk_token": "<unk>", "fuse_unk": True}),
    "white space": (N.Lowercase(), P.Whitespace(), UNKNOWN),
    "white space split": (N.Sequence([N.NFD(), N.Lowercase()]), P.WhitespaceSplit(), {}),
    "merged with next": (None, P.Split(Regex(r"[aeiou]+| "), "merged_with_next"), UNKNOWN),
    "merged with previous": (N.Replace(Regex(r"\s+"), " "), P.Split(Regex(r"\p{P}|[ t]"), "merged_with_previous"),
                             UNKNOWN),
    "contiguous": (None, P.Split(Regex(r"[\p{L}\p{M}]|\p{Nd}"), "contiguous", invert=True), UNKNOWN),
    "removed": (None, P.Split(" ", "removed"), UNKNOWN),
    "unigram": (N.NFKC(), P.Metaspace("▁", "always"), None),
    "unigram, whole text": (None, P.Metaspace("▁", "first", split=False), None),
    "unigram, bytes": (None, P.ByteLevel(add_prefix_space=False), None),
}
# No merge may reach across a space: these are trained on words.
ONE_INPUT = {"llama2", "mistral", "gemma", "unigram, whole text"}
# Added tokens next to which text is changed, besides those of every shape.
WITH_TOKENS = {"gpt2", "llama2", "gemma", "qwen2", "metaspace, never", "white space", "unigram"}


def corpus():
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    foreign = "äöü ß é è 你好 世界 こんにちは привет мир \t 12345 'S I'LL we're ½ ﬁ 한국어 🎉"
    return text.split("\n") + [foreign] * 20


def trained(name):
    """The content of a tokenizer.json."""
    normalizer, pre_tokenizer, options = SHAPES[name]
    tokenizer = Tokenizer(models.Unigram() if options is None else models.BPE(**options))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    shape = json.loads(tokenizer.to_str())
    if name in ONE_INPUT:
        tokenizer.normalizer, tokenizer.pre_tokenizer = None, P.Metaspace("▁", "always")
    alphabet = P.ByteLevel.alphabet() if "ByteLevel" in str(pre_tokenizer) else []
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)] if options == BYTES else []
    settings = {"special_tokens": ["<unk>", "<s>", "</s>", *byte_tokens], "initial_alphabet": alphabet,
                "show_progress": False}
    if options is None:
        trainer = trainers.UnigramTrainer(vocab_size=700, unk_token="<unk>", **settings)
    else:
        trainer = trainers.BpeTrainer(vocab_size=1500, max_token_length=12, **settings)
    tokenizer.train_from_iterator(corpus(), trainer)
    content = json.loads(tokenizer.to_str())
    content["normalizer"], content["pre_tokenizer"] = shape["normalizer"], shape["pre_tokenizer"]
    # Byte tokens are for characters that the vocabulary lacks; they are not looked for in the text.
    content["added_tokens"] = [t for t in content["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens([AddedToken("<pad>", normalized=False, lstrip=True, rstrip=True)])
    if name in WITH_TOKENS:
        tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=False), AddedToken("[X]", lstrip=True),
                              AddedToken("Straße  "), AddedToken("  ", normalized=False, rstrip=True),
                              AddedToken("    ", normalized=False), AddedToken("\n\n\n")])
    return tokenizer.to_str()


def texts():
    """Each holds more than white space; the program skips others, and a byte order mark at the begin."""
    source = random.Random(1)
    assigned = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    spaces = list("\t\n\x0b\x0c\r \x85\xa0\u1680\u2003\u2028\u3000\u180e\u200b")
    pools = [spaces, [" "] * 3 + ["\n"], list("abcdefghijklmnopqrstuvwxyzABC"), [chr(c) for c in range(32, 127)],
             list("äöüßéèſKİς"), list("бвгдж"), list("你好世界漢字"), list("ひらがなカタカナー"), list("한국어가각"),
             list("مرحبا"), list("हिन्दीक्षत्र"), list("ไทยภาษา"), [chr(c) for c in range(0x1F300, 0x1F600)] + ["\u200d"],
             [chr(c) for c in range(0x300, 0x370)], list("0123456789٣४½²Ⅷ"), list("▁▁  <>|[]"), assigned,
             ["<s>", "</s>", "<unk>", "<pad>", "[X]", " [X] ", "word", "it's", "I'LL", "'S", "'ſ", "▁the", "ﬁ", "\u0344"]]
    made = ["".join(source.choice(source.choice(chosen)) for _ in range(source.randrange(1, 40)))
            for chosen in (source.sample(pools, source.randrange(1, 5)) for _ in range(500))]
    # Thousands of characters of all planes, each in context, and long runs.
    made += ["".join(f"a{c}b {c}1{c}{c}\u0301 '{c}" for c in assigned[i::1400][:200]) for i in range(0, 1400, 25)]
    made += ["a" * 30000, "x" + " " * 30000, "▁" * 3000, "a\n" * 5000, "ab " * 5000]
    made += corpus()
    return [text for text in made if text.strip() and not text.isspace() and not text.startswith("\ufeff")]


class TokenizerJsonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.texts = texts()
        cls.files = []
        for index, text in enumerate(cls.texts):
            cls.files.append(cls.folder / f"{index:05}.txt")
            cls.files[-1].write_bytes(text.encode())

    def ids_of_program(self, tokenizer_path):
        command = [program.binary(), "tokenize", "--tokenizer_path", tokenizer_path, "--text_document", "file",
                   "--add_eos", "false", *self.files]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line)["ids"] for line in result.stdout.split("\n") if line]

    def test_ids_are_those_of_the_package(self):
        for name in SHAPES:
            with self.subTest(name):
                path = self.folder / "tokenizer.json"
                path.write_text(trained(name))
                reference = Tokenizer.from_file(str(path))
                expected = [e.ids for e in reference.encode_batch(self.texts, add_special_tokens=False)]
                found = self.ids_of_program(path)
                self.assertEqual(len(found), len(expected))
                for text, ids, expected_ids in zip(self.texts, found, expected):
                    self.assertEqual(ids, expected_ids, repr(text[:80]))

    def test_what_is_not_supported_ends_with_exit_code_4(self):
        path = self.folder / "tokenizer.json"
        content = json.loads(trained("gpt2"))
        content["normalizer"] = {"type": "StripAccents"}
        path.write_text(json.dumps(content))
        result = subprocess.run([program.binary(), "tokenize", "--tokenizer_path", str(path), str(self.files[0])],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 4)
        self.assertRegex(result.stderr, r"\Aerror: .*StripAccents.*\n\Z")


if __name__ == "__main__":
    program.main()
