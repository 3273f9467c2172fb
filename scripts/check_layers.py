#!/usr/bin/env python3
"""Checks the includes of src/ and include/pdl/ against src/layers.txt, which says what the layers are.

A file includes its own folder and those of lower layers; no folder without LibTorch includes LibTorch; no public header
needs a library but LibTorch; only the command line reads arguments, prints or exits. Prints each breach as
`file:line: …` and exits 1 if there is one.
"""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TORCH_INCLUDE = re.compile(r"\s*#\s*include\s*[<\"](ATen|c10|torch|caffe2)/")
INCLUDE = re.compile(r'\s*#\s*include\s*"(?:pdl/)?([^"]+)"')
LIBRARY_INCLUDE = re.compile(
    r"\s*#\s*include\s*[<\"](nlohmann/|sentencepiece|spdlog/|CLI/|pcre2|unicode/|openssl/|zlib|zstd|zdict)"
)
CLI_ONLY = re.compile(
    r"\bargv\b|\b(secure_)?getenv\b|std::w?(cout|cerr|clog)\b|\b[fvd]{0,2}printf\(|\b(f?puts|f?putc|putchar|perror)\("
    r"|\b(_?exit|_Exit|quick_exit|abort|terminate)\("
)


class Layers:
    def __init__(self, root: pathlib.Path):
        self.layer_of = {}  # folder -> its layer, from 0
        self.with_torch = set()
        after_torch = False
        for number, line in enumerate((root / "src/layers.txt").read_text().splitlines()):
            if line.startswith("#"):
                continue
            if line == "LibTorch":
                after_torch = True
                continue
            for folder in line.split():
                self.layer_of[folder] = number
                if after_torch:
                    self.with_torch.add(folder)

    def folder_of(self, path: str):
        """The entry that a path below src/ or include/pdl/ belongs to: the longest that it begins with."""
        found = [f for f in self.layer_of if path.startswith(f + "/")]
        return max(found, key=len, default=None)


def path_in_layers(path: pathlib.PurePath) -> str:
    """Of a path from the root: what follows src/ or include/pdl/."""
    return "/".join(path.parts[2:] if path.parts[0] == "include" else path.parts[1:])


def breaches(path: pathlib.PurePath, text: str, layers: Layers):
    """Yields (line, problem) for a file with this path from the root and this content."""
    inside = path_in_layers(path)
    folder = layers.folder_of(inside)
    if folder is None:
        yield 1, "src/layers.txt does not have this folder"
        return
    for number, line in enumerate(text.splitlines(), 1):
        if folder not in layers.with_torch and TORCH_INCLUDE.match(line):
            yield number, f"{folder} is built without LibTorch"
        found = INCLUDE.match(line)
        if found:
            beside = os.path.normpath(os.path.join(os.path.dirname(inside), found[1]))
            other = layers.folder_of(found[1]) or layers.folder_of(beside)
            if other not in (None, folder) and layers.layer_of[other] >= layers.layer_of[folder]:
                yield number, f"{folder} may not include {other}"
        if path.parts[0] == "include" and LIBRARY_INCLUDE.match(line):
            yield number, "a public header may not need this library"
        is_comment = line.lstrip().startswith("//")
        if folder not in ("cli", "base") and CLI_ONLY.search(line) and not is_comment:
            yield number, "only the command line reads arguments, prints or exits"


def sources(root: pathlib.Path):
    for pattern in ("include/pdl/**/*.h", "src/**/*.h", "src/**/*.cpp", "src/**/*.inc", "src/**/*.cu*"):
        yield from sorted(root.glob(pattern))


def main() -> int:
    layers = Layers(ROOT)
    num_files = count = 0
    for path in sources(ROOT):
        num_files += 1
        relative = path.relative_to(ROOT)
        for number, problem in breaches(relative, path.read_text(), layers):
            print(f"{relative}:{number}: {problem}")
            count += 1
    print(f"{num_files} files, {count} breaches")
    return 1 if count or not num_files else 0


if __name__ == "__main__":
    sys.exit(main())
