#!/usr/bin/env python3
"""The program must load SentencePiece before LibTorch.

Debian's libsentencepiece and LibTorch's libc10 both export a variable FLAGS_minloglevel, of 32 and
of 4 bytes. The library that is loaded first provides it for both. With libc10 first, the start-up
code of SentencePiece overwrites 28 bytes of libc10 behind it, a mutex among them, and the first
forward hangs.
"""

import argparse
import re
import subprocess
import sys
import unittest

BINARY = ""


class LinkOrderTest(unittest.TestCase):

    def test_sentencepiece_comes_first(self):
        dynamic = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True)
        needed = re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic.stdout)
        torch = [i for i, name in enumerate(needed) if re.match(r"lib(c10|torch)", name)]
        sentencepiece = [i for i, name in enumerate(needed) if name.startswith("libsentencepiece.so")]
        self.assertEqual(len(sentencepiece), 1, needed)
        self.assertTrue(torch, needed)
        self.assertLess(sentencepiece[0], min(torch), needed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    BINARY = arguments.binary
    unittest.main(argv=[sys.argv[0], *rest])
