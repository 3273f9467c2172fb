"""Files with edge cases of each format, and the documents that Python's own readers find in them.

Documents are lists of bytes: the ids of a tokenizer whose ids are those (trained_tokenizers.byte_tokenizer()).
"""

import codecs
import collections
import gzip
import io
import json
import struct
import zlib

import numpy

import hostile_texts

# `trained`: the mask of each document, None where all is trained.
Case = collections.namedtuple("Case", "name path options documents trained content")
_BLOCK = 1 << 20  # the program reads blocks of about this size


def _is_document(text):
    return text != "" and not text.isspace()


def _ids(texts):
    return [list(text.encode()) for text in texts if _is_document(text)]


def _texts(source, number):
    """Texts as files hold them: without a byte order mark at the begin."""
    return [text.lstrip("\ufeff") or "x" for text in hostile_texts.short(source, number)]


# ---------------------------------------------------------------- JSON Lines


def _escaped(source, text):
    """A JSON string that spells each character in one of the ways there are."""
    spelled = []
    for character in text:
        ways = [json.dumps(character)[1:-1]]
        if character not in '"\\' and ord(character) >= 32:
            ways.append(character)
        units = character.encode("utf-16-be")
        pairs = [units[i : i + 2].hex() for i in range(0, len(units), 2)]
        ways.append("".join(f"\\u{pair.upper() if source.random() < 0.5 else pair}" for pair in pairs))
        if character == "/":
            ways.append("\\/")
        spelled.append(source.choice(ways))
    return '"' + "".join(spelled) + '"'


def _record(source, fields):
    """A JSON object with these strings, others, and white space where it may be."""
    others = {"id": "17", "meta": '{"text": [null, true, -1.5e-300, 1e308, "\\u0000", {}]}', "url": '"a"', "": "[]"}
    pairs = [(key, _escaped(source, text)) for key, text in fields.items()]
    pairs += [(key, others[key]) for key in source.sample(sorted(others), source.randrange(3))]
    source.shuffle(pairs)
    gap = lambda: "".join(source.choice(" \t") for _ in range(source.choice([0, 0, 1, 3])))  # noqa: E731
    inside = ",".join(f"{gap()}{_escaped(source, key)}{gap()}:{gap()}{value}{gap()}" for key, value in pairs)
    return f"{gap()}{{{inside}}}{gap()}"


def _lines(source, records):
    """Joins records by line ends, with blank lines, a byte order mark and a last line end or not."""
    content = source.choice(["", "", "\ufeff"])
    for record in records:
        content += source.choice(["", "", "\n", " \t\r\n"]) + record + source.choice(["\n", "\r\n"])
    return content.encode() if source.random() < 0.5 else content.rstrip("\r\n").encode()


def _read_records(content):
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
    return [json.loads(line) for line in content.split(b"\n") if line.strip(b" \t\r")]


def _jsonl(source):
    records = [_record(source, {"text": text}) for text in _texts(source, source.randrange(1, 20))]
    if source.random() < 0.2:  # a line end near the end of a block
        filler = json.dumps({"text": "x" * (_BLOCK - source.randrange(100) - sum(map(len, records)))})
        records.append(filler)
        records += [_record(source, {"text": text}) for text in _texts(source, 5)]
    if source.random() < 0.3:
        records.insert(0, _record(source, {"text": source.choice(["", " ", "\u3000\n"])}))
    content = _lines(source, records)
    return content, _ids(record["text"] for record in _read_records(content)), None


def _pairs(source):
    parts = _texts(source, 2 * source.randrange(1, 10))
    records = [_record(source, {"prompt": a, "completion": b}) for a, b in zip(parts[::2], parts[1::2])]
    content = _lines(source, records)
    pairs = [(r["prompt"], r["completion"]) for r in _read_records(content)]
    masks = [[0] * len(a.encode()) + [1] * len(b.encode()) for a, b in pairs]
    return content, _ids(a + b for a, b in pairs), masks


# ---------------------------------------------------------------- text


def _plain(source, separator):
    texts = [text.replace("\r", "") for text in _texts(source, source.randrange(1, 20))]
    gaps = [source.choice([separator, separator, "\n", " \n\t\n", "\r\n", "\r\n\r\n"]) for _ in texts]
    content = source.choice(["", "", "\ufeff"]) + "".join(text + gap for text, gap in zip(texts, gaps))
    if source.random() < 0.2:
        content += "".join(f"{i} " * 100 + separator for i in range(_BLOCK // 400))
    return content


def _without_mark(content):
    return content.removeprefix("\ufeff")


def _line_list(content):
    lines = _without_mark(content).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _text_file(source):
    content = _plain(source, "\n")
    return content.encode(), _ids([_without_mark(content)]), None


def _text_line(source):
    content = _plain(source, "\n")
    return content.encode(), _ids(_line_list(content)), None


def _text_paragraph(source):
    content = _plain(source, "\n\n")
    paragraphs = [[]]
    for line in _line_list(content):
        if _is_document(line):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([])
    return content.encode(), _ids("\n".join(lines) for lines in paragraphs), None


# ---------------------------------------------------------------- arrays of ids


def _npy(source):
    size = source.choice([1, 2, 100, 300_000])
    array = numpy.frombuffer(source.randbytes(size), dtype="u1").astype(source.choice(["<u2", "<u4", "<i4"]))
    stored = io.BytesIO()
    numpy.lib.format.write_array(stored, array, version=source.choice([(1, 0), (2, 0), (3, 0)]))
    content = stored.getvalue()
    return content, [numpy.load(io.BytesIO(content)).tolist()], None


# ---------------------------------------------------------------- compression


def _parts(source, content):
    """Cuts it at some places; parts may be empty."""
    places = sorted(source.randrange(len(content) + 1) for _ in range(source.randrange(4)))
    return [content[a:b] for a, b in zip([0, *places], [*places, len(content)])]


def _gzip_member(source, content):
    """With the optional fields of a header, RFC 1952: FEXTRA 4, FNAME 8, FCOMMENT 16, FHCRC 2."""
    flags = source.choice([0, 8, 4 | 8 | 16, 2 | 4 | 16])
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\xff"
    if flags & 4:
        header += struct.pack("<H", 5) + b"ab\x01\0c"
    header += b"name\0" * bool(flags & 8) + b"\xff\0" * bool(flags & 16)
    if flags & 2:
        header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    deflate = zlib.compressobj(source.choice([0, 1, 9]), zlib.DEFLATED, -15)
    body = deflate.compress(content) + deflate.flush()
    return header + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def _gzipped(source, content):
    stored = b"".join(_gzip_member(source, part) for part in _parts(source, content))
    assert gzip.decompress(stored) == content
    return stored


def _zstd_frame(source, content):
    """A frame of raw and run-length blocks, RFC 8878, sometimes after one that is skipped."""
    single_segment, has_size = 0x20, 0x80
    frame = struct.pack("<I", 0xFD2FB528) + bytes([has_size | single_segment]) + struct.pack("<I", len(content))
    most = source.choice([1000, 1 << 17])
    blocks = [content[i : i + most] for i in range(0, len(content), most)] or [b""]
    for index, block in enumerate(blocks):
        is_run = len(block) > 0 and len(set(block)) == 1
        last = index == len(blocks) - 1
        frame += struct.pack("<I", int(last) | int(is_run) << 1 | len(block) << 3)[:3] + (block[:1] if is_run else block)
    skipped = struct.pack("<II", 0x184D2A50 + source.randrange(16), 3) + b"abc"
    return source.choice([b"", b"", skipped]) + frame


def _zstandard(source, content):
    return b"".join(_zstd_frame(source, part) for part in _parts(source, content))


_KINDS = [
    (".jsonl", _jsonl, []),
    (".jsonl", _pairs, []),
    (".txt", _text_file, ["--text_document", "file"]),
    (".txt", _text_line, ["--text_document", "line"]),
    (".txt", _text_paragraph, ["--text_document", "paragraph"]),
    (".npy", _npy, []),
]
_COMPRESSIONS = [("", lambda source, content: content), (".gz", _gzipped), (".zst", _zstandard)]


def cases(folder, source, number):
    """Yields `number` cases, whose files the caller deletes."""
    made = 0
    while made < number:
        ending, make, options = _KINDS[made % len(_KINDS)]
        content, documents, trained = make(source)
        if not documents:
            continue
        compression, compress = source.choice(_COMPRESSIONS if ending != ".npy" else _COMPRESSIONS[:1])
        path = folder / f"case{ending}{compression}"
        path.write_bytes(compress(source, content))
        yield Case(f"case {made}, {make.__name__[1:]}{compression}", path, options, documents, trained, content)
        made += 1
