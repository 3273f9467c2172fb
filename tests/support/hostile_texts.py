"""Texts on which tokenizers go wrong: white space and characters of all kinds, in all mixtures."""

# In none of these is a byte order mark first, which is no text there.
_SPACES = list("\t\n\x0b\x0c\r \x85\xa0\u1680\u2003\u2028\u3000\u180e\u200b\u200c\u2060\ufeff\u00ad")
_CONTROL = [chr(c) for c in (*range(32), *range(0x7F, 0xA0))]


class _AllCharacters:
    """Every character there is, without the memory of a list."""

    def __len__(self):
        return 0x110000 - 0x800

    def __getitem__(self, index):
        return chr(index if index < 0xD800 else index + 0x800)


_MARKS = [chr(c) for c in (*range(0x300, 0x370), 0x0323, 0x05B0, 0x064B, 0x0E38, 0x20E3, 0xFE0F, 0x3099)]
_COMPOSED = list("éÅÅΩΩﬁﬀ½²Ⅷ①㎏ｱﾞＡ１가각ǅſßİıẛ̣ΐ") + ["e\u0301", "A\u030a", "\u1100\u1161\u11a8", "か\u3099", "\u0344"]
_SCRIPTS = [list(letters) for letters in (
    "abcdefghijklmnopqrstuvwxyzABC", "äöüßéèſKİς", "бвгдж", "你好世界漢字", "ひらがなカタカナー", "한국어가각", "مرحبا",
    "हिन्दीक्षत्र", "ไทยภาษา", "0123456789٣४½²Ⅷ")]  # fmt: skip
_EMOJI = [chr(c) for c in range(0x1F300, 0x1F600)] + ["\u200d", "👩\u200d🔬", "🇩🇪", "🏳\ufe0f\u200d🌈"]
_WORDS = ["the", "cat", " the", " on", "it's", "I'LL", "'S", "'ſ", "word", "▁the", "▁", "▁▁", "▁ ▁", "http://a.b/c?d=e",
          "<s>", "</s>", "<unk>", "<pad>", "[X]", " [X] ", "<user>", "ab", "ab ba", "<0x41>", "<0x0A>", "\\n", "\r\n",
          "--", "----", "===", "....", "12", "3.14", "1,000", "a_b", "$x^2$", "\ufffd", "\ufffe", "\uffff", "\U0010ffff"]  # fmt: skip
POOLS = [_SPACES, [" "] * 3 + ["\n"], _CONTROL, _AllCharacters(), _MARKS, _COMPOSED, *_SCRIPTS, _EMOJI, _WORDS,
         [chr(c) for c in range(32, 127)]]  # fmt: skip


def _mixture(source, most):
    pools = source.sample(POOLS, source.randrange(1, 5))
    return "".join(source.choice(source.choice(pools)) for _ in range(source.randrange(1, most)))


def _run(source):
    """A character or a word many times, with something before and after."""
    unit = source.choice(source.choice(POOLS))
    return _mixture(source, 4) + unit * source.randrange(2, 200) + _mixture(source, 4)


def _long_word(source):
    pool = source.choice([*_SCRIPTS, _MARKS, _WORDS])
    return "".join(source.choice(pool) for _ in range(source.randrange(200, 3000))).replace(" ", "")


def _in_white_space(source):
    """A text with white space, and what normalisation makes white space or drops, before and after it."""
    around = ["".join(source.choice(source.choice([_SPACES, _CONTROL, ["▁", " "]])) for _ in range(source.randrange(4)))
              for _ in range(2)]  # fmt: skip
    return around[0] + source.choice(["a", "the cat", "é", "▁", "1", "cat\u3000the", ""]) + around[1]


def _is_document(text):
    return text != "" and not text.isspace()


def short(source, number):
    """`number` documents; those of white space alone, which the program skips, are left out."""
    makers = [lambda s: _mixture(s, 40)] * 5 + [_run, _long_word, _in_white_space, _in_white_space]
    texts = []
    while len(texts) < number:
        text = source.choice(makers)(source)
        if _is_document(text):
            texts.append(text)
    return texts


def long(source, number):
    """At most five documents of one to three megabytes: a unit again and again, with other text between."""
    sentence = "The cat, the mat and 12 more; it's on  the\tмир 你好 été.\n"
    units = [sentence, "ab " * 20 + "▁x", "word\n\n", "a" * 200 + " ", _mixture(source, 200) + " a b "]
    others = [_mixture(source, 40) for _ in range(500)]
    return ["x" + "".join(source.choice(others) if source.random() < 0.1 else unit for _ in range(1_100_000 // len(unit)))
            for unit in units[:number]]  # fmt: skip
