#!/usr/bin/env python3
"""Compares the documents and ids of `pdl-train tokenize` with those of other programs, on hostile input made here.

    .venv/bin/python scripts/compare_tokenizers.py --binary build/release/pdl-train [--quick] [--only GROUP…]

| group | what is compared | with |
|---|---|---|
| json | 40 tokenizers of tokenizer.json, trained here | the package tokenizers |
| sentencepiece | 60 SentencePiece models, trained here | the package sentencepiece, 0.2.3 |
| | texts of these ids, and of random ones, as they come one by one | the same |
| files | .txt, .jsonl, .npy, .gz, .zst: edge cases | Python's json, gzip, codecs and NumPy |

Each tokenizer encodes 1,500 short texts in one process, and some long ones whose ids are put together from blocks of a
megabyte. Every id and every text must be the same. stdout gets a line a group and a total. The input depends on --seed alone.
--quick takes few tokenizers and texts. Exit codes: 0 everything agrees, 1 something differs, 2 usage.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "support"))
import corpus_files  # noqa: E402
import hostile_texts  # noqa: E402
import trained_tokenizers  # noqa: E402

TIMEOUT_SECONDS = 600
TRAINERS = {"json": trained_tokenizers.json_tokenizers, "sentencepiece": trained_tokenizers.sentencepiece_models}
# Number of tokenizers of each kind, of short texts, of tokenizers that also get long texts, of these, and of files.
Size = collections.namedtuple("Size", "json sentencepiece texts long long_texts cases")
FULL = Size(40, 60, 1500, 20, 5, 400)
QUICK = Size(3, 6, 100, 1, 1, 30)


class Comparison:
    """Runs the program and collects what differs."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder
        self.num_compared = 0
        self.num_different = 0
        self.num_shown = collections.Counter()

    def tokenize(self, what, tokenizer, files, *options):
        """The JSON objects that the program prints; None, with a message on stderr, if it fails."""
        command = [self.binary, "tokenize", "--tokenizer_path", tokenizer, *options, *files]
        if files:
            command += ["--add_eos", "false"]
        result = subprocess.run(list(map(str, command)), capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
        if result.returncode != 0:
            self.differs(what, result.stderr.decode(errors="replace"))
            return None
        return [json.loads(line) for line in result.stdout.split(b"\n") if line]

    def differs(self, what, why):
        self.num_different += 1
        self.num_shown[what] += 1
        if self.num_shown[what] <= 3:
            print(f"{what}: {why}", file=sys.stderr)

    def compare(self, what, found, expected, inputs):
        """Compares lists of ids, one a document; `inputs` are shown where they differ."""
        self.num_compared += len(expected)
        if found is None:
            return
        if len(found) != len(expected):
            self.differs(what, f"{len(found)} documents, expected {len(expected)}")
        for ids, expected_ids, shown in zip(found, expected, inputs):
            if ids == expected_ids:
                continue
            at = next((i for i, (a, b) in enumerate(zip(ids, expected_ids)) if a != b), min(len(ids), len(expected_ids)))
            self.differs(what, f"{shown[:200]!a}: id {at} of {len(expected_ids)}: "
                               f"{ids[at:at + 5]}, expected {expected_ids[at:at + 5]}")  # fmt: skip


def compare_tokenizers(comparison, source, trained, number, texts, long_texts, size):
    """`trained(folder, i)` gives the path of the i-th tokenizer, its name, and the function that encodes texts."""
    folder = comparison.folder
    records = folder / "texts.jsonl"
    records.write_bytes(b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts))
    long_files = []
    for index, text in enumerate(long_texts):
        long_files.append(folder / f"long-{index}.txt")
        long_files[-1].write_bytes(text.encode())
    for index in range(number):
        path, name, encode = trained(folder, index)
        has_long = index * size.long % number < size.long
        files = [records, *(long_files if has_long else [])]
        inputs = [*texts, *(long_texts if has_long else [])]
        found = comparison.tokenize(name, path, files, "--text_document", "file")
        expected = encode(inputs)
        comparison.compare(name, found and [document["ids"] for document in found], expected, inputs)
        most = trained_tokenizers.vocabulary_size(path)
        randoms = [[source.randrange(most) for _ in range(source.randrange(1, 60))] for _ in texts]
        compare_texts(comparison, path, name, [*expected[:len(texts)], *randoms])


def compare_texts(comparison, tokenizer, name, sequences):
    """Texts of ids, but those for which the library raises an error."""
    decode = trained_tokenizers.decoder(tokenizer)
    expected = {}
    for ids in sequences:
        try:
            expected[tuple(ids)] = decode(ids)
        except Exception:  # tokenizers raises plain exceptions
            continue
    path = comparison.folder / "ids.jsonl"
    path.write_text("".join(json.dumps({"ids": ids}) + "\n" for ids in expected))
    found = comparison.tokenize(name, tokenizer, [], "--decode", path)
    comparison.compare(f"{name}, text", found and [line["text"] for line in found], list(expected.values()),
                       [str(ids) for ids in expected])  # fmt: skip


def compare_files(comparison, source, number):
    path = comparison.folder / "bytes.json"
    path.write_text(trained_tokenizers.byte_tokenizer())
    for case in corpus_files.cases(comparison.folder, source, number):
        found = comparison.tokenize(case.name, path, [case.path], *case.options)
        comparison.compare(case.name, found and [document["ids"] for document in found], case.documents,
                           [case.content] * len(case.documents))  # fmt: skip
        if found and case.trained is not None:
            masks = [document["trained"] for document in found]
            comparison.compare(f"{case.name}, trained", masks, case.trained, [case.content] * len(masks))
        case.path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="pdl-train")
    parser.add_argument("--quick", action="store_true", help="few tokenizers and texts")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--only", nargs="+", choices=["json", "sentencepiece", "files"], metavar="GROUP",
                        default=["json", "sentencepiece", "files"], help="groups to compare; default: all")  # fmt: skip
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    compared = different = 0
    for group in options.only:
        source = random.Random(f"{options.seed} {group}")
        with tempfile.TemporaryDirectory() as folder:
            comparison = Comparison(options.binary, pathlib.Path(folder))
            if group == "files":
                compare_files(comparison, source, size.cases)
            else:
                texts = hostile_texts.short(source, size.texts)
                trained = TRAINERS[group](source, getattr(size, group))
                long_texts = hostile_texts.long(source, size.long_texts)
                compare_tokenizers(comparison, source, trained, getattr(size, group), texts, long_texts, size)
        print(f"{group}: {comparison.num_compared} documents compared, {comparison.num_different} differ", flush=True)
        compared += comparison.num_compared
        different += comparison.num_different
    print(f"total: {compared} documents compared, {different} differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
