#!/usr/bin/env python3
"""The program must load SentencePiece before LibTorch.

Debian's libsentencepiece and LibTorch's libc10 both export a variable FLAGS_minloglevel, of 32 and
of 4 bytes. The library that is loaded first provides it for both. With libc10 first, the start-up
code of SentencePiece overwrites 28 bytes of libc10 behind it, a mutex among them, and the first
forward hangs.
"""

import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402


class LinkOrderTest(unittest.TestCase):

    def test_sentencepiece_comes_first(self):
        dynamic = subprocess.run(["readelf", "-d", program.binary()], capture_output=True, text=True, check=True)
        needed = re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic.stdout)
        torch = [i for i, name in enumerate(needed) if re.match(r"lib(c10|torch)", name)]
        sentencepiece = [i for i, name in enumerate(needed) if name.startswith("libsentencepiece.so")]
        self.assertEqual(len(sentencepiece), 1, needed)
        self.assertTrue(torch, needed)
        self.assertLess(sentencepiece[0], min(torch), needed)


if __name__ == "__main__":
    program.main()
