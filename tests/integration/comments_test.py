#!/usr/bin/env python3
"""The check of comments finds a public declaration without one wherever it is."""

import argparse
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import check_comments  # noqa: E402

COMMENTED = """// What the file is about.
#pragma once

#include <string>

namespace pdl {

class Forward;
using Name = std::string;
inline constexpr int kNumber = 1;

// A type.
struct Plain {
  int64_t size() const { return 1; }
  int member = 0;  // its unit

  std::function<void(int value)> call = {};
  std::array<int, size()> values;
};

// Another.
class Closed : public Plain {
 public:
  explicit Closed(int value) : value_(value) {}
  ~Closed();
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;
  bool operator==(const Closed&) const = default;

  // For both.
  int one() const;
  int other() const { return two_(1, 2); }

  int behind() const;  // a comment behind

 private:
  void hidden();
  struct Hidden {
    int f();
  };
  int value_;
};

// A choice.
enum class Choice { kOne, kOther };

// Does it.
template <class Value>
Value function(const std::string& text,
               int more = 1);

}  // namespace pdl
"""


class CommentsTest(unittest.TestCase):
    def problems_of(self, text):
        return [problem.split(": ", 1)[1] for _, problem in check_comments.breaches(text)]

    def test_the_tree_as_it_is_has_no_breach(self):
        headers = sorted((ROOT / "include/pdl").rglob("*.h"))
        self.assertGreater(len(headers), 90)
        for path in headers:
            self.assertEqual(list(check_comments.breaches(path.read_text())), [], path)

    def test_what_needs_no_comment(self):
        self.assertEqual(self.problems_of(COMMENTED), [])

    def test_a_missing_comment_is_seen(self):
        for comment, declaration in (
            ("// A type.\n", ["struct Plain", "int64_t size() const"]),
            ("// Another.\n", ["class Closed : public Plain"]),
            ("  // For both.\n", ["int one() const;", "int other() const"]),
            ("  // a comment behind", ["int behind() const;"]),
            ("// A choice.\n", ["enum class Choice"]),
            ("// Does it.\n", ["template <class Value> Value function(const std::string& text, int more = 1);"]),
        ):
            with self.subTest(comment):
                self.assertEqual(self.problems_of(COMMENTED.replace(comment, "", 1)), declaration)

    def test_a_public_function_that_is_added_is_seen_in_every_class(self):
        seen = 0
        for path in sorted((ROOT / "include/pdl").rglob("*.h")):
            text = path.read_text()
            added = text.replace(" public:\n", " public:\n  int f();\n\n  int added();\n\n", 1)
            if added != text:
                self.assertIn("int added();", self.problems_of(added), path)
                seen += 1
        self.assertGreater(seen, 30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--starter")
    _, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
