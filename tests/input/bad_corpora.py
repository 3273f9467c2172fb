"""Corpora that must be refused."""

import gzip
import json
import random
import struct

from bad_case import SPECIAL_FILES, Case, Later, content_of, link_to

CODES = (3,)
KEYS = ("train_files", "eval_files", "pdl_reference_files")

GOOD_RECORD = b'{"text": "a good record"}\n'

# A line of JSONL that is wrong.
RECORDS = {
    "number": b'{"text": 1}', "null": b'{"text": null}', "list": b'{"text": ["a"]}', "object": b'{"text": {}}',
    "boolean": b'{"text": true}', "no field": b'{"other": "a"}', "empty object": b"{}", "a list": b'["text"]',
    "a string": b'"text"', "a number": b"1", "null alone": b"null", "not JSON": b"text", "cut": b'{"text": "a',
    "cut key": b'{"te', "no colon": b'{"text" "a"}', "trailing comma": b'{"text": "a",}', "two objects": b'{"text": "a"}{}',
    "comment": b'{"text": "a"} // no', "single quotes": b"{'text': 'a'}", "NaN": b'{"text": "a", "n": NaN}',
    "large number": b'{"text": "a", "n": 1e999}', "lone surrogate": b'{"text": "\\ud800"}',
    "low surrogate": b'{"text": "\\udc00 a"}', "bad escape": b'{"text": "\\x"}', "raw tab": b'{"text": "a\tb"}',
    "raw escape": b'{"text": "a\x1b[31mb"}', "NUL": b'{"text": "a\0b"}', "NUL behind": b'{"text": "a"}\0',
    "0xff": b'{"text": "\xff"}', "overlong": b'{"text": "\xc0\xaf"}', "surrogate bytes": b'{"text": "\xed\xa0\x80"}',
    "cut character": b'{"text": "\xe2\x82"}', "0xff in a key": b'{"text": "a", "\xff": 1}',
    "mark": b'\xef\xbb\xbf{"text": "a"}', "twice": b'{"text": "a", "text": "b"}',
    "two kinds": b'{"text": "a", "messages": []}', "text and prompt": b'{"text": "a", "prompt": "b", "completion": "c"}',
    "prompt alone": b'{"prompt": "a"}', "completion alone": b'{"completion": "a"}',
    "prompt of a number": b'{"prompt": 1, "completion": "a"}', "completion of null": b'{"prompt": "a", "completion": null}',
    "prompt twice": b'{"prompt": "a", "prompt": "b", "completion": "c"}',
    "messages of a string": b'{"messages": "a"}', "messages of strings": b'{"messages": ["a"]}',
    "messages of an object": b'{"messages": {}}', "message without role": b'{"messages": [{"content": "a"}]}',
    "message without content": b'{"messages": [{"role": "user"}]}',
    "role of a number": b'{"messages": [{"role": 1, "content": "a"}]}',
    "content of a list": b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}',
    "content of null": b'{"messages": [{"role": "assistant", "content": null}]}',
    "role twice": b'{"messages": [{"role": "user", "role": "user", "content": "a"}]}',
    "unknown role": b'{"messages": [{"role": "\\u001b[31m", "content": "a"}]}',
    "weight of a half": b'{"messages": [{"role": "assistant", "content": "a", "weight": 0.5}]}',
    "weight of a text": b'{"text": "a", "weight": "\\u001b[31m"}', "train of a number": b'{"text": "a", "train": 1}',
    "weight beyond all": b'{"text": "a", "weight": 1' + b"0" * 300 + b"}",
    "tool calls": b'{"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]}',
    "control in a field": b'{"messages": [{"role": "user", "content": "a", "\\u001b[31m": 1}]}',
    "tools": b'{"messages": [{"role": "user", "content": "a"}], "tools": [{}]}',
    "system of a prompt": b'{"prompt": "a", "completion": "b", "system": "c"}', "token ids": b'{"text": "a", "input_ids": [1]}',
    "deep": b'{"text": "a", "n": ' + b"[" * 100_000, "deep and closed": b'{"text": "a", "n": ' + b"[" * 99 + b"]" * 99 + b"}",
    "deep objects": b'{"text": "a", "n": ' + b'{"a": ' * 100_000, "deep alone": b"[" * 100_000,
    "control in a name": b'{"te\\u0007xt": "a"}',
}  # fmt: skip

# Bytes that are not valid UTF-8.
NOT_UTF8 = {
    "Latin-1": b"caf\xe9 ", "0xff": b"\xff", "0xfe": b"\xfe", "continuation": b"a\x80b", "overlong slash": b"\xc0\xaf",
    "overlong NUL": b"\xc0\x80", "overlong three": b"\xe0\x80\x80", "overlong four": b"\xf0\x80\x80\x80",
    "surrogate": b"\xed\xa0\x80", "beyond Unicode": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80",
    "cut two": b"\xc3 a", "cut three": b"\xe2\x82 a", "cut four": b"\xf0\x9f\x98 a",
}  # fmt: skip


def zstd_frame(data, *, size=None, last=True):
    """A frame of Zstandard whose blocks are not compressed (RFC 8878)."""
    blocks = [data[i : i + 100_000] for i in range(0, len(data), 100_000)]
    frame = b"\x28\xb5\x2f\xfd\xa0" + (len(data) if size is None else size).to_bytes(4, "little")
    for i, block in enumerate(blocks):
        frame += (len(block) << 3 | (last and i + 1 == len(blocks))).to_bytes(3, "little") + block
    return frame


def npy(descr="<i4", shape="(4,)", data=struct.pack("<4i", 1, 2, 3, 4), *, order="False", header=None, version=b"\1\0"):
    text = header or f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"
    width = 2 if version == b"\1\0" else 4
    padding = 64 - (8 + width + len(text) + 1) % 64
    text += " " * padding + "\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(width, "little") + text.encode("latin-1") + data


def bad_npy_files():
    good = npy()
    files = {f"cut at byte {size}": good[:size] for size in (0, 1, 5, 6, 7, 8, 9, 10, 11, 40, 127, 128, 129, 140, 143)}
    for descr in ("<f4", "<f8", "<i8", ">i4", ">u2", "|b1", "|S4", "<U1", "|O", "<i2", "|u1", "", "<c8", "int32", "\x1b[31m"):
        files[f"dtype {descr!r}"] = npy(descr)
    for shape in ("()", "(4)", "(2,2)", "(5,)", "(3,)", "(0,)", "(-1,)", "(9223372036854775808,)", "(9223372036854775807,)",
                  "4", "(4,", "(4,,)", "(1e3,)", "(04,)", "None", "('4',)", "(" + "1," * 100 + ")"):  # fmt: skip
        files[f"shape {shape[:22]}"] = npy(shape=shape)
    for name, header in {
        "no descr": "{'fortran_order': False, 'shape': (4,), }", "no shape": "{'descr': '<i4', 'fortran_order': False, }",
        "no order": "{'descr': '<i4', 'shape': (4,), }", "twice": "{'descr': '<i4', 'descr': '<i4', 'shape': (4,), }",
        "more": "{'descr': '<i4', 'fortran_order': False, 'shape': (4,), 'x\x07': 1}", "no dictionary": "['<i4', False, (4,)]",
        "structure": "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (4,), }", "open": "{'descr': '<i4",
        "call": "__import__('os').system('true')", "deep": "(" * 5000, "nothing": " ",
    }.items():  # fmt: skip
        files[f"header {name}"] = npy(header=header)
    for name, ids in {"negative": (1, -1, 2, 3), "beyond the vocabulary": (1, 2, 3, 384), "largest": (2**31 - 1, 1, 1, 1),
                      "smallest": (-(2**31), 1, 1, 1)}.items():  # fmt: skip
        files[f"id {name}"] = npy(data=struct.pack("<4i", *ids))
    files["id of uint32"] = npy("<u4", data=struct.pack("<4I", 1, 2, 3, 2**32 - 1))
    files["id of uint16"] = npy("<u2", data=struct.pack("<4H", 1, 2, 3, 65535))
    files["magic"] = b"\x94" + good[1:]
    files["version 0"] = good[:6] + b"\0\0" + good[8:]
    files["version 9"] = good[:6] + b"\x09\0" + good[8:]
    files["header length"] = good[:8] + b"\xff\xff" + good[10:]
    files["huge header"] = b"\x93NUMPY\2\0\xff\xff\xff\xff" + good[12:]
    files["more data"] = good + b"\0\0\0\0"
    files["text"] = b"some text\n"
    return files


def bad_archives(generator, text):
    """Name to (suffix, content)."""
    packed, frame = gzip.compress(text, mtime=0), zstd_frame(text)
    files = {}
    for i in range(15):
        size = generator.randrange(1, len(packed))
        files[f"gzip cut {i}"] = ("txt.gz", packed[:size])
        size = generator.randrange(1, len(frame))
        files[f"zstd cut {i}"] = ("txt.zst", frame[:size])
        # Everything after the header of 10 bytes is covered by a checksum, the checksum included.
        flipped = bytearray(packed)
        flipped[generator.randrange(10, len(packed))] ^= 1 << generator.randrange(8)
        files[f"gzip flipped {i}"] = ("txt.gz", bytes(flipped))
    for i in (0, 1, 2, 3):  # magic, method, reserved flags
        changed = packed[:i] + bytes([packed[i] ^ 0xE0]) + packed[i + 1 :]
        files[f"gzip byte {i}"] = ("txt.gz", changed)
        files[f"zstd byte {i}"] = ("txt.zst", frame[:i] + bytes([frame[i] ^ 0xE0]) + frame[i + 1 :])
    files |= {
        "gzip empty": ("txt.gz", b""), "zstd empty": ("txt.zst", b""), "gzip of text": ("txt.gz", text[:5000]),
        "zstd of text": ("txt.zst", text[:5000]), "gzip of zstd": ("txt.gz", frame), "zstd of gzip": ("txt.zst", packed),
        "gzip and rest": ("txt.gz", packed + b"rest"), "zstd and rest": ("txt.zst", frame + b"rest"),
        "zstd of another size": ("txt.zst", zstd_frame(text, size=len(text) + 1)),
        "zstd without an end": ("txt.zst", zstd_frame(text, last=False)),
        "zstd reserved block": ("txt.zst", b"\x28\xb5\x2f\xfd\xa0\1\0\0\0\x0f\0\0a"),
        "zstd huge window": ("txt.zst", b"\x28\xb5\x2f\xfd\0\xff\1\0\0"), "gzip of Latin-1": ("txt.gz", gzip.compress(b"caf\xe9 " * 9)),
        "gzip of nothing": ("txt.gz", gzip.compress(b"")), "zstd of Latin-1": ("txt.zst", zstd_frame(b"caf\xe9 " * 9)),
        "gzip second member cut": ("txt.gz", packed + packed[:50]),
        "gzip of a long line": ("jsonl.gz", Later(lambda: gzip.compress(b'{"text": "' + b"a" * (200 << 20) + b'"}\n', 1))),
    }  # fmt: skip
    return files


def cases(seed, text):
    """`text` is a good corpus."""
    generator = random.Random(seed)
    found = []

    def add(name, suffix, content, part=""):
        key = KEYS[len(found) % len(KEYS)]
        file = f"bad.{suffix}"
        arguments = ["--config", "run.json", f"--{key}", file]
        found.append(
            Case("corpus", f"{suffix} {name}", CODES, arguments, lambda _: {file: content_of(content)}, part or file)
        )

    for name, record in RECORDS.items():
        add(name, "jsonl", GOOD_RECORD * 2 + record + b"\n" + GOOD_RECORD, "line 3")
        add(name, "jsonl.gz", gzip.compress(GOOD_RECORD + record), "line 2")
    add("a line over 16 MB", "jsonl", Later(lambda: GOOD_RECORD + b'{"text": "' + b"a" * (17 << 20) + b'"}'), "line 2")
    add("a line without an end", "jsonl", Later(lambda: b'{"text": "' + b"a" * (60 << 20)), "line 1")
    add("unreadable", "jsonl", link_to("/proc/self/mem"))
    for name, piece in NOT_UTF8.items():
        add(f"{name} at the beginning", "txt", piece + text)
        add(f"{name} inside", "txt", text[:5000] + piece + text[5000:], "byte 5")
        add(f"{name} at the end", "txt", text + piece.split(b" ")[0])
    for name, content in {"empty": b"", "blank": b" \n\n\t\r\n", "UTF-16": text.decode().encode("utf-16"),
                          "UTF-32": text.decode().encode("utf-32"), "UTF-16 without a mark": text.decode().encode("utf-16-le"),
                          "UTF-32 without a mark": text.decode().encode("utf-32-be"), "bytes": bytes(range(256)) * 20,
                          "mark alone": b"\xef\xbb\xbf"}.items():  # fmt: skip
        add(name, "txt", content)
        add(name, "jsonl", content)
    for name, make in SPECIAL_FILES.items():
        for suffix in ("txt", "jsonl", "npy", "txt.gz", "txt.zst"):
            add(name, suffix, make)
    add("a loop of links", "txt", link_to("bad.txt"))
    add("a dangling link", "txt", link_to("no/such/file"))
    for name, content in bad_npy_files().items():
        add(name, "npy", content)
    for name, (suffix, content) in bad_archives(generator, text).items():
        add(name, suffix, content)
    return found
