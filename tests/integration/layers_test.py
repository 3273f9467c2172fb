#!/usr/bin/env python3
"""The check of layers finds a forbidden include wherever it is."""

import argparse
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import check_layers  # noqa: E402


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.layers = check_layers.Layers(ROOT)
        self.sources = [p.relative_to(ROOT) for p in check_layers.sources(ROOT)]

    def problems_of(self, path, added_line):
        text = (ROOT / path).read_text() + added_line + "\n"
        return [problem for _, problem in check_layers.breaches(path, text, self.layers)]

    def folder_of(self, path):
        return self.layers.folder_of(check_layers.path_in_layers(path))

    def test_the_tree_as_it_is_has_no_breach(self):
        for path in self.sources:
            self.assertEqual(self.problems_of(path, ""), [], path)

    def test_an_include_of_libtorch_is_seen_in_every_file_without_it(self):
        without = [p for p in self.sources if self.folder_of(p) not in self.layers.with_torch]
        self.assertGreater(len(without), 100)
        for path in without:
            for include in ("#include <ATen/core/Tensor.h>", "# include <torch/script.h>", '#include "c10/util/Exception.h"'):
                self.assertTrue(self.problems_of(path, include), f"{path}: {include}")

    def test_an_include_of_a_higher_or_equal_layer_is_seen_in_every_file(self):
        headers = {}  # folder -> one of its public headers
        for path in self.sources:
            if path.parts[0] == "include":
                headers[self.folder_of(path)] = "/".join(path.parts[1:])
        for path in self.sources:
            own = self.folder_of(path)
            for folder, header in headers.items():
                allowed = folder == own or self.layers.layer_of[folder] < self.layers.layer_of[own]
                seen = self.problems_of(path, f'#include "{header}"')
                self.assertEqual(bool(seen), not allowed, f"{path} includes {header}")

    def test_a_library_is_seen_in_a_public_header_alone(self):
        header, source = pathlib.PurePath("include/pdl/tokens/token.h"), pathlib.PurePath("src/tokens/document_encoder.h")
        for include in ("<nlohmann/json.hpp>", "<sentencepiece_processor.h>", "<spdlog/spdlog.h>", "<CLI/CLI.hpp>",
                        "<pcre2.h>", "<unicode/utf8.h>", "<openssl/evp.h>", "<zlib.h>", "<zstd.h>", '"zstd_errors.h"',
                        '"nlohmann/json.hpp"'):  # fmt: skip
            line = f"#include {include}"
            self.assertTrue(self.problems_of(header, line), line)
            self.assertEqual(self.problems_of(source, line), [], line)

    def test_what_only_the_command_line_does_is_seen_elsewhere(self):
        source, command_line = pathlib.PurePath("src/tokens/document_encoder.cpp"), pathlib.PurePath("src/cli/app.cpp")
        for code in ("print(argv[1])", 'getenv("A")', 'secure_getenv("A")', "std::cout << 1", "std::cerr << 1",
                     "std::clog << 1", 'printf("a")', 'std::fprintf(stderr, "a")', "vprintf(a, b)", 'dprintf(2, "a")',
                     'puts("a")', 'std::fputs("a", stderr)', "putchar(1)", 'perror("a")', "exit(1)", "std::exit(1)",
                     "::_exit(1)", "_Exit(1)", "std::quick_exit(1)", "std::abort()", "std::terminate()"):  # fmt: skip
            line = f"  {code};"
            self.assertTrue(self.problems_of(source, line), line)
            self.assertEqual(self.problems_of(command_line, line), [], line)
        for code in ("std::snprintf(a, 1, b)", "at_exit(1)", "outputs(1)"):
            self.assertEqual(self.problems_of(source, f"  {code};"), [], code)

    def test_a_file_in_a_folder_without_a_layer_is_a_breach(self):
        path = pathlib.PurePath("src/elsewhere/x.cpp")
        self.assertTrue(list(check_layers.breaches(path, "", self.layers)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--starter")
    _, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
