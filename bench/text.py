#!/usr/bin/env python3
"""Makes English text that does not repeat itself, from the documentation packages of Debian.

    bench/text.py DIR [--megabytes 1000]

writes DIR/text-10.txt, DIR/text-100.txt and DIR/text-1000.txt, as far as --megabytes (of 10^6 bytes)
go: UTF-8, a paragraph a line, no line twice, each text the begin of the next larger one. Packages are
downloaded with apt-get and unpacked in a temporary folder; nothing is installed. Markup is left out,
and so are files that are not English prose.

If the packages do not fill the largest text, the rest of it is a second part: the first one again, in
which words that it has once are replaced by made-up ones, as many as keep the number of distinct words
growing as in the first part. bench/README.md tells more. stdout gets a table of the distinct words.
Exit codes: 0 done, 1 a package could not be had, 2 usage.
"""

import argparse
import array
import gzip
import hashlib
import html.parser
import math
import multiprocessing
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import zlib

# Prose of many kinds first, then references; those with little text for their size last.
PACKAGES = """
    debian-handbook dict-jargon python3.11-doc anarchism perl-doc linux-doc-6.1 gnome-user-docs dict-foldoc
    postgresql-doc-15 libreoffice-help-en-us installation-guide-amd64 rust-doc openjdk-17-doc
    cppreference-doc-en-html python-django-doc libboost1.81-doc erlang-doc racket-doc dict-gcide dict-wn
    db5.3-doc llvm-15-doc octave-doc maxima-doc twisted-doc debian-policy developers-reference
    harden-doc gimp-help-en python-scipy-doc python-pandas-doc python-sklearn-doc python-sympy-doc
    python-statsmodels-doc python-astropy-doc sagemath-doc qtbase5-doc-html ghc-doc scala-doc dpdk-doc
    libstdc++-12-doc wx3.2-doc rust-web-doc
    petsc3.18-doc gnuradio-doc libpcl-doc libgtk-4-doc libapache-poi-java-doc derby-doc quantlib-refman-html
""".split()

MEGABYTE = 10**6
SIZES = (10, 100, 1000)

# A file is English prose if at least this share of its words are among the most frequent ones.
FREQUENT_WORDS = frozenset("the of and to is that for".split())
LEAST_FREQUENT_SHARE = 0.08
# A paragraph of fewer words is a heading or an entry of a menu.
LEAST_WORDS = 5


class TextError(Exception):
    """A package could not be had."""


# ------------------------------------------------------------------------------------- markup


class Stripper(html.parser.HTMLParser):
    """Paragraphs of a HTML page, without code, scripts and navigation."""

    LEFT_OUT = frozenset("script style head nav header footer pre svg select button".split())
    INLINE = frozenset(
        "a abbr acronym b bdi bdo big cite code dfn em font i img ins kbd mark q s samp small span "
        "strong sub sup tt u var wbr".split()
    )

    def __init__(self):
        super().__init__()
        self.paragraphs = []
        self.parts = []
        self.left_out = []  # open elements whose text is left out, outermost first

    def end_paragraph(self):
        text = " ".join("".join(self.parts).split())
        self.parts.clear()
        if text:
            self.paragraphs.append(text)

    def handle_starttag(self, tag, attrs):
        if tag in self.LEFT_OUT:
            self.left_out.append(tag)
        if tag not in self.INLINE:
            self.end_paragraph()

    def handle_endtag(self, tag):
        if tag in self.left_out:
            # Also ends the elements inside it that were never closed.
            del self.left_out[self.left_out.index(tag) :]
        if tag not in self.INLINE:
            self.end_paragraph()

    def handle_data(self, data):
        if not self.left_out:
            self.parts.append(data)


def strip_html(text):
    stripper = Stripper()
    stripper.feed(text)
    stripper.close()
    stripper.end_paragraph()
    return stripper.paragraphs


def strip_plain(text):
    """Runs of lines separated by blank ones; the entries of a dictionary are told apart by indent."""
    parts = re.split(r"\n\s*\n|\n(?=\S[^\n]*\n[ \t])", text)
    return [" ".join(part.split()) for part in parts]


STRIPPERS = dict.fromkeys((".html", ".htm", ".xhtml", ".page"), strip_html)
STRIPPERS.update(dict.fromkeys((".txt", ".pod", ".text", ".dict"), strip_plain))
# Folders with the sources of pages that are there as HTML too.
SOURCES = "_sources"


def is_prose(paragraphs):
    words = " ".join(paragraphs).lower().split()
    frequent = sum(word in FREQUENT_WORDS for word in words)
    return frequent > LEAST_FREQUENT_SHARE * len(words)


def paragraphs_of(path):
    """Paragraphs of a file; none of one that is not English prose, and none that is not UTF-8."""
    name, suffix = os.path.splitext(path)
    packed = suffix in (".gz", ".dz")
    strip = STRIPPERS.get(os.path.splitext(name)[1] if packed else suffix)
    if not strip:
        return []
    try:
        with (gzip.open if packed else open)(path, "rb") as file:
            text = file.read().decode("utf-8", errors="replace")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return []
    # Some programs split a line at characters that are not printable.
    kept = [
        part
        for part in strip(text)
        if len(part.split()) >= LEAST_WORDS and part.isprintable() and "\ufffd" not in part
    ]
    return kept if is_prose(kept) else []


# ------------------------------------------------------------------------------------- packages


def call(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TextError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-200:]}")


def files_of_package(package, folder):
    """Downloads and unpacks a package; returns its regular files in a fixed order."""
    # The user of the sandbox may not write here, of which apt-get would warn.
    call(["apt-get", "-o", "APT::Sandbox::User=root", "download", "-q", package], folder)
    archive = next(pathlib.Path(folder).glob("*.deb"))
    call(["dpkg-deb", "-x", archive.name, "files"], folder)
    archive.unlink()
    found = []
    for parent, folders, names in os.walk(os.path.join(folder, "files")):
        folders[:] = sorted(set(folders) - {SOURCES})
        paths = (os.path.join(parent, name) for name in sorted(names))
        found += [path for path in paths if not os.path.islink(path)]
    return found


def lines_of_packages(pool):
    """Lines of all packages, none twice: of lines that have the same letters the first is taken."""
    seen = set()
    for package in PACKAGES:
        size = 0
        with tempfile.TemporaryDirectory() as folder:
            for paragraphs in pool.imap(paragraphs_of, files_of_package(package, folder), chunksize=16):
                for line in paragraphs:
                    letters = re.sub(r"[\W\d_]+", "", line).lower()
                    key = hashlib.blake2b(letters.encode(), digest_size=8).digest()
                    if key not in seen:
                        seen.add(key)
                        size += len(line.encode()) + 1
                        yield line
        print(f"{package}: {size / MEGABYTE:.1f} MB", file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------------- second part


class Vocabulary:
    """Words so far with their counts, and how their number grew."""

    def __init__(self):
        self.counts = {}
        self.num_words = 0
        # Words and distinct words at the end of each line.
        self.curve = (array.array("q"), array.array("q"))

    def add(self, words):
        for word in words:
            self.counts[word] = self.counts.get(word, 0) + 1
        self.num_words += len(words)
        for values, value in zip(self.curve, (self.num_words, len(self.counts))):
            values.append(value)

    def growth(self):
        """Exponent b of distinct = c · words^b (Heaps' law), from the tenth part of the words to all."""
        words, distinct = self.curve
        tenth = next(i for i, count in enumerate(words) if 10 * count >= words[-1])
        return math.log(distinct[-1] / distinct[tenth]) / math.log(words[-1] / words[tenth])


def made_up_word(word, number):
    """A word like `word`: vowels become vowels, other letters such letters, digits digits."""
    digest = hashlib.blake2b(f"{number} {word}".encode(), digest_size=64).digest()
    made = []
    for i, letter in enumerate(word):
        for kind in ("aeiou", "bcdfghjklmnpqrstvwxyz", "AEIOU", "BCDFGHJKLMNPQRSTVWXYZ", "0123456789"):
            if letter in kind:
                letter = kind[digest[i % len(digest)] % len(kind)]
                break
        made.append(letter)
    return "".join(made)


def second_part(path, vocabulary):
    """Lines of the text at `path` again and again, with as many new words as Heaps' law asks for."""
    once = {word for word, count in vocabulary.counts.items() if count == 1}
    exponent, words, distinct = vocabulary.growth(), vocabulary.num_words, len(vocabulary.counts)
    number = 0
    while True:
        number += 1
        with open(path, encoding="utf-8") as file:
            for line in file:
                expected = distinct * (vocabulary.num_words / words) ** exponent
                room = expected - len(vocabulary.counts)
                line = line.split()
                for i, word in enumerate(line):
                    if room > 0 and word in once:
                        line[i] = made_up_word(word, number)
                        room -= 1
                yield " ".join(line)


# -------------------------------------------------------------------------------------- writing


class Writer:
    """Writes lines up to a size, and notes the distinct words at some sizes on the way."""

    def __init__(self, file, megabytes):
        self.file = file
        self.vocabulary = Vocabulary()
        self.size = 0
        self.limit = megabytes * MEGABYTE
        self.notes = [size for size in (1, *SIZES) if size < megabytes] + [megabytes]
        self.noted = {}  # megabytes: bytes, words, distinct words

    def write(self, lines):
        """Takes lines until the size is reached or there are no more."""
        for line in lines:
            self.file.write(line + "\n")
            self.size += len(line.encode()) + 1
            self.vocabulary.add(line.split())
            while self.notes and self.size >= self.notes[0] * MEGABYTE:
                self.note(self.notes.pop(0))
            if self.size >= self.limit:
                return

    def note(self, megabytes):
        counts = self.vocabulary.counts
        self.noted[megabytes] = (self.size, self.vocabulary.num_words, len(counts))


def copy_begin(source, target, size):
    with open(source, "rb") as read, open(target, "wb") as written:
        while size > 0:
            block = read.read(min(size, 1 << 20))
            written.write(block)
            size -= len(block)


def make_text(folder, megabytes):
    """Writes the texts; returns the writer, and the bytes that come from packages."""
    largest = os.path.join(folder, f"text-{megabytes}.txt")
    part, first = largest + ".part", largest + ".first"
    try:
        # Without main's handler, so that the pool can end its processes.
        default = (signal.SIGTERM, signal.SIG_DFL)
        with (
            open(part, "w", encoding="utf-8") as file,
            multiprocessing.Pool(initializer=signal.signal, initargs=default) as pool,
        ):
            writer = Writer(file, megabytes)
            writer.write(lines_of_packages(pool))
            from_packages = writer.size
            if writer.size < writer.limit:
                file.flush()
                copy_begin(part, first, from_packages)
                writer.write(second_part(first, writer.vocabulary))
        os.replace(part, largest)
    finally:
        for path in (part, first):
            pathlib.Path(path).unlink(missing_ok=True)
    for size in SIZES:
        if size < megabytes:
            copy_begin(largest, os.path.join(folder, f"text-{size}.txt"), writer.noted[size][0])
    return writer, from_packages


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="DIR", help="where the texts are written")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the largest (default: 1000)")
    options = parser.parse_args()
    if options.megabytes < 1:
        parser.error("--megabytes must be at least 1")
    # As an exception, so that temporary folders are cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        os.makedirs(options.folder, exist_ok=True)
        writer, from_packages = make_text(options.folder, options.megabytes)
    except (TextError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("| text, MB | words | distinct words |\n|---:|---:|---:|")
    for megabytes, (_, words, distinct) in writer.noted.items():
        print(f"| {megabytes:,} | {words:,} | {distinct:,} |")
    real, made = from_packages / MEGABYTE, (writer.size - from_packages) / MEGABYTE
    print(f"\n{real:,.1f} MB are text of packages, {made:,.1f} MB the second part.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
