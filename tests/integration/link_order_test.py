#!/usr/bin/env python3
"""The program must load SentencePiece and the C++ library before LibTorch.

The library that is loaded first provides what several of them export:

- Debian's libsentencepiece and LibTorch's libc10 both export a variable FLAGS_minloglevel, of 32 and
  of 4 bytes. With libc10 first, the start-up code of SentencePiece overwrites 28 bytes of libc10
  behind it, a mutex among them, and the first forward hangs.
- LibTorch's wheels export copies of std::filesystem. That of remove_all in the CUDA wheel of 2.11
  calls address 0, so that the program died where it removed an old checkpoint.
"""

import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402


class LinkOrderTest(unittest.TestCase):

    def test_these_come_first(self):
        dynamic = subprocess.run(["readelf", "-d", program.binary()], capture_output=True, text=True, check=True)
        needed = re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic.stdout)
        torch = [i for i, name in enumerate(needed) if re.match(r"lib(c10|torch)", name)]
        self.assertTrue(torch, needed)
        for library in ("libsentencepiece.so", "libstdc++.so"):
            places = [i for i, name in enumerate(needed) if name.startswith(library)]
            self.assertEqual(len(places), 1, needed)
            self.assertLess(places[0], min(torch), needed)


if __name__ == "__main__":
    program.main()
