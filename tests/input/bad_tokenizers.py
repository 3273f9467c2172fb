"""Tokenizers that must be refused."""

import copy
import gzip
import json
import random
import struct

from bad_case import SPECIAL_FILES, Case, Later, content_of

CODES = (4,)

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)


# ---------------------------------------------------------------------- Protocol Buffers


def varint(value):
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def field(number, value):
    """bytes and str with their length, float as 32 bits, int as a varint."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def piece(text, score=-1.0, kind=NORMAL):
    return field(1, field(1, text) + field(2, float(score)) + field(3, kind))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields_of(data):
    """(number, wire type, begin, end) of the fields of a message."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = read_varint(data, at)
        if tag & 7 == 2:
            size, at = read_varint(data, at)
            at += size
        elif tag & 7 == 0:
            _, at = read_varint(data, at)
        else:
            at += {1: 8, 5: 4}[tag & 7]
        yield tag >> 3, tag & 7, begin, at


# ---------------------------------------------------------------------- SentencePiece

HEAD = [piece("<unk>", 0, UNKNOWN), piece("<s>", 0, CONTROL), piece("</s>", 0, CONTROL)]
LETTERS = [piece(letter, -i) for i, letter in enumerate("▁abcdefghijklmnopqrstuvwxyz")]
BYTES = [piece(f"<0x{byte:02X}>", 0, BYTE) for byte in range(256)]
UNIGRAM, BPE = 1, 2


def trainer(model_type=BPE, byte_fallback=0):
    return field(2, field(3, model_type) + field(35, byte_fallback))


def map_of(units, replacements=b"a\0", size=None):
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie) if size is None else size) + trie + replacements


def normalizer(character_map):
    return field(3, field(1, "own") + field(2, character_map))


def bad_maps():
    """Character maps that the library refuses itself, or that it takes for a map without rules."""
    block = [0] * 256
    return {
        "of one byte": b"a", "of four bytes": b"\0\0\0\0", "larger than the file": map_of(block, size=1 << 20),
        # A unit is (offset << 10 | has leaf << 8 | label); the children of these lie in their own block.
        "in a circle": map_of([0x100 << 10, *block[1:], *[byte | 0x100 << 10 for byte in range(256)]]),
    }  # fmt: skip


def bad_sentencepiece_parts():
    good = [*HEAD, *LETTERS, trainer()]
    parts = {
        "no pieces": [trainer()], "control pieces alone": [*HEAD, trainer(UNIGRAM)], "no unknown": [*HEAD[1:], *LETTERS, trainer()],
        "two unknown": [*HEAD, piece("<unk2>", 0, UNKNOWN), *LETTERS, trainer()], "empty piece": [*HEAD, piece(""), *LETTERS, trainer()],
        "empty control": [*HEAD, piece("", 0, CONTROL), *LETTERS, trainer()], "same piece": [*good[:-1], LETTERS[1], trainer()],
        "same control": [*HEAD, HEAD[1], *LETTERS, trainer()], "byte without fallback": [*HEAD, *BYTES, *LETTERS, trainer()],
        "fallback without bytes": [*HEAD, *LETTERS, trainer(byte_fallback=1)],
        "255 bytes": [*HEAD, *BYTES[:-1], *LETTERS, trainer(byte_fallback=1)],
        "byte 0xZZ": [*HEAD, *BYTES, piece("<0xZZ>", 0, BYTE), *LETTERS, trainer(byte_fallback=1)],
        "byte in lower case": [*HEAD, *BYTES[:-1], piece("<0xff>", 0, BYTE), *LETTERS, trainer(byte_fallback=1)],
        "field 0": [*good, b"\0\0"], "a group": [*good, b"\x0b\x0c"], "wire type 6": [*good, b"\x0e\0"], "wire type 7": [*good, b"\x0f\0"],
        "long varint": [*good, b"\x10" + b"\xff" * 11], "open varint": [*good, b"\x90"],
    }  # fmt: skip
    for kind in (0, 7, 99, 2**31, 2**63):
        parts[f"piece type {kind}"] = [*HEAD, piece("xx", 0, kind), *LETTERS, trainer()]
    for kind in (0, 5, 99, 2**32 - 1):
        parts[f"model type {kind}"] = [*HEAD, *LETTERS, trainer(kind)]
    for size in (2**7 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        parts[f"piece of {size} bytes"] = [*good, b"\x0a" + varint(size) + b"abc"]
        parts[f"text of {size} bytes"] = [*good, field(1, b"\x0a" + varint(size) + b"abc")]
    for model_type in (UNIGRAM, BPE):
        parts[f"score NaN, type {model_type}"] = [*HEAD, piece("xx", float("nan")), *LETTERS, trainer(model_type)]
        for name, character_map in bad_maps().items():
            parts[f"map {name}, type {model_type}"] = [*HEAD, *LETTERS, trainer(model_type), normalizer(character_map)]
    parts |= {
        "text is a number": [*HEAD, field(1, field(1, 5)), *LETTERS, trainer()],
        "score is a text": [*HEAD, field(1, field(1, "xx") + field(2, "1")), *LETTERS, trainer()],
        "type is a text": [*HEAD, field(1, field(1, "xx") + field(3, "1")), *LETTERS, trainer()],
        "piece is a number": [*good, field(1, 5)], "trainer is a number": [*good[:-1], field(2, 5)],
        "normalizer is a number": [*good, field(3, 5)], "model type is a text": [*good[:-1], field(2, field(3, "1"))],
        "map is a number": [*good, field(3, field(2, 1))], "self-test fails": [*good, field(4, field(1, field(1, "ab") + field(2, "no")))],
    }  # fmt: skip
    return parts


def add_sentencepiece(add, generator, good):
    boundaries = {0} | {end for *_, end in fields_of(good)}
    for i in range(12):
        size = generator.choice([size for size in range(1, len(good)) if size not in boundaries])
        add(f"cut at byte {size}", "bad.model", good[:size])
    for i in range(8):  # a byte of the tag of a piece, which is 0x0a
        begin = generator.choice([begin for number, _, begin, _ in fields_of(good) if number == 1])
        flipped = bytearray(good)
        flipped[begin] |= 7  # no wire type
        add(f"tag {i} flipped", "bad.model", bytes(flipped))
    for name, parts in bad_sentencepiece_parts().items():
        add(name, "bad.model", b"".join(parts))
    for name, content in {
        "empty": b"", "text": b"version https://git-lfs.github.com/spec/v1\n", "JSON": b'{"model": {}}', "gzip": gzip.compress(good),
        "zeros": bytes(1000), "0xff": b"\xff" * 1000, "Zip": b"PK\3\4" + bytes(100), "pickle": b"\x80\4\x95\0\0\0\0\0\0\0\0.",
        "head lost": good[1:], "noise": generator.randbytes(5000),
    }.items():  # fmt: skip
        add(name, "bad.model", content)


# ---------------------------------------------------------------------- tokenizer.json


def tokenizer_json():
    letters = "abcdefghij\u0120"
    vocab = {letter: i for i, letter in enumerate(letters)} | {"ab": 11, "abc": 12}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": 13, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None, "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": ["a b", "ab c"]},
    }  # fmt: skip


# The way to a member, and wrong values of it.
WRONG_MEMBERS = [
    (["version"], ["2.0", 1, "\x1b[31m"]), (["added_tokens"], [{}, 1, ["a"], [{}], [None]]),
    (["added_tokens", 0, "id"], [None, -1, 0, 14, 2**31, 2**63, 1.5, "13"]), (["added_tokens", 0, "content"], [None, 1, "a", ["<s>"]]),
    (["added_tokens", 0, "special"], [None, 1, "true"]), (["added_tokens", 0, "lstrip"], [None, 0]),
    (["added_tokens", 0, "other"], [1]), (["normalizer"], [1, "NFC", [], {}, {"type": "No\u202eNo"}, {"type": 1}]),
    (["pre_tokenizer"], [1, [], {}, {"type": "Other"}, {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}]),
    (["pre_tokenizer", "add_prefix_space"], [1, "no"]), (["pre_tokenizer", "use_regex"], [[]]),
    (["model"], [None, 1, [], {}, "BPE"]), (["model", "type"], ["WordPiece", "WordLevel", 1, "b\x07pe"]),
    (["model", "vocab"], [None, 1, [], ["a"], {"a": -1}, {"a": 2**31}, {"a": 2**63}, {"a": 1.5}, {"a": "0"}, {"a": 0, "b": 0}]),
    (["model", "merges"], [None, 1, {}, [1], ["a"], ["a b c"], ["x y"], [["a"]], [["a", "b", "c"]], [["a", 1]], ["a b", ["ab", "c"]]]),
    (["model", "dropout"], [0.1, "0", True]), (["model", "unk_token"], [1, ["a"]]), (["model", "continuing_subword_prefix"], ["##", 1]),
    (["model", "end_of_word_suffix"], ["</w>", 1]), (["model", "fuse_unk"], [1, "no"]), (["model", "byte_fallback"], [1, []]),
    (["model", "ignore_merges"], [1]), (["model", "other"], [1]), (["other"], [1]),
]  # fmt: skip


def add_tokenizer_json(add, generator):
    good = json.dumps(tokenizer_json()).encode()

    def add_json(name, content, files=()):
        add(name, "bad.json", content, dict(files))

    for way, values in WRONG_MEMBERS:
        for value in values:
            root = copy.deepcopy(tokenizer_json())
            member = root
            for step in way[:-1]:
                member = member[step]
            member[way[-1]] = value
            add_json(f"{'.'.join(map(str, way))}: {json.dumps(value)[:20]}", json.dumps(root).encode())
    for i in range(10):
        size = generator.randrange(len(good))
        add_json(f"cut at byte {size}", good[:size])
    for name, content in {
        "deep": b"[" * 100_000, "deep objects": b'{"a":' * 100_000, "deep member": good[:-1] + b', "decoder": ' + b"[" * 99 + b"]" * 99 + b"}",
        "twice": good[:-1] + b', "model": {}}', "vocabulary twice": good.replace(b'"b": 1', b'"a": 1'), "NUL": good[:50] + b"\0" + good[50:],
        "not UTF-8": good.replace(b'"a": 0', b'"\xff": 0'), "lone surrogate": good.replace(b'"a": 0', b'"\\ud800": 0'),
        "NaN": good.replace(b'"dropout": null', b'"dropout": NaN'), "1e400": good.replace(b'"dropout": null', b'"dropout": 1e400'),
        "array": b"[]", "null": b"null", "rest": good + b"}", "many values": Later(lambda: b"[" + b"1," * 9_000_000 + b"1]"),
        "many lists": Later(lambda: b"[" + b"[]," * 9_000_000 + b"1]"), "many strings": Later(lambda: b"[" + b'"",' * 9_000_000 + b"1]"),
    }.items():  # fmt: skip
        add_json(name, content)
    for name, config in {
        "eos unknown": b'{"eos_token": "<no>"}', "eos a number": b'{"eos_token": 1}', "eos a list": b'{"eos_token": ["<s>"]}',
        "eos without content": b'{"eos_token": {}}', "config array": b"[]", "config cut": b'{"eos_token": "<s>"', "config empty": b"",
        "eos twice": b'{"eos_token": "<s>", "eos_token": "<s>"}', "eos with an escape": b'{"eos_token": "\\u001b[31m"}',
    }.items():  # fmt: skip
        add_json(name, good, {"tokenizer_config.json": config})


def cases(seed, model):
    """`model` is a good SentencePiece model."""
    generator = random.Random(seed)
    found = []

    def add(name, file, content, files=()):
        arguments = ["--config", "run.json", "--tokenizer_path", file]
        found.append(Case("tokenizer", f"{file.split('.')[1]} {name}", CODES, arguments, lambda _: {file: content_of(content), **dict(files)}, "tokenizer"))

    add_sentencepiece(add, generator, model)
    add_tokenizer_json(add, generator)
    for name, make in SPECIAL_FILES.items():
        add(name, "bad.model", make)
        add(name, "bad.json", make)
    return found
