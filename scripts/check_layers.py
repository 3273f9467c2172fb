#!/usr/bin/env python3
"""Checks that includes point left only: a module may include itself and the modules before it.

Also: no JSON, argv, printing or exit below the command line, and no Torch in what pdl_base builds. Prints each breach
as `file:line: …` and exits 1 if there is one.
"""

import pathlib
import re
import sys

# Modules from left to right; those of one tier may not include each other.
TIERS = [
    {"base", "kernels"},
    {"config"},
    {"metrics", "schedule"},
    {"text"},
    {"frequency"},
    {"data", "model"},
    {"optim", "distributed"},
    {"loss", "checkpoint"},
    {"trainer", "example"},
    {"cli"},
]
TIER_OF = {module: tier for tier, modules in enumerate(TIERS) for module in modules}

# Modules, and single files of mixed modules, that pdl_base builds.
WITHOUT_TORCH = re.compile(
    r"(base|kernels|config|metrics|text)/|data/(rows|batch_plan)|frequency/(token_counts|count_cache|shard_counts|weight_formula|weight_statistics|weight_plot)|"
    r"optim/schedule|checkpoint/(safetensors|trainer_state)|example/grammar_corpus"
)
TORCH_INCLUDE = re.compile(r"#include <(ATen|c10|torch|caffe2)/")
INCLUDE = re.compile(r'#include "(?:pdl/)?(\w+)/(\w+)\.h"')
CLI_ONLY = re.compile(r"\bargv\b|\bgetenv\b|std::cout|std::cerr|\bprintf\(|[^_]exit\(")


def module_of(folder: str, stem: str) -> str:
    """The schedule is a pure function that stands further left than the rest of optim."""
    return "schedule" if (folder, stem) == ("optim", "schedule") else folder


def breaches(path: pathlib.Path, root: pathlib.Path):
    parts = path.relative_to(root).parts
    folder = parts[2] if parts[0] == "include" else parts[1]
    module = module_of(folder, path.stem)
    is_header = parts[0] == "include"
    without_torch = WITHOUT_TORCH.match(f"{folder}/{path.stem}")
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = INCLUDE.match(line)
        if found and found[1] in TIER_OF:
            other = module_of(found[1], found[2])
            if other != module and TIER_OF[other] >= TIER_OF[module]:
                yield number, f"{module} may not include {other}"
        if without_torch and TORCH_INCLUDE.match(line):
            yield number, "pdl_base is built without Torch"
        if is_header and re.match(r"#include <(nlohmann|sentencepiece|spdlog)", line):
            yield number, "a public header may not need this library"
        if (
            module not in ("cli", "base")
            and CLI_ONLY.search(line)
            and not line.lstrip().startswith("//")
        ):
            if "_exit(" not in line:
                yield number, "only the command line reads arguments, prints or exits"


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [
        p
        for pattern in ("include/pdl/**/*.h", "src/**/*.h", "src/**/*.cpp")
        for p in sorted(root.glob(pattern))
    ]
    count = 0
    for path in files:
        for number, problem in breaches(path, root):
            print(f"{path.relative_to(root)}:{number}: {problem}")
            count += 1
    print(f"{len(files)} files, {count} breaches")
    return 1 if count or not files else 0


if __name__ == "__main__":
    sys.exit(main())
