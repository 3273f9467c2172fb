"""Tokenizers of every shape that the program supports, trained on the documentation, and their own package's encoder."""

import json
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_FOREIGN = "äöü ß é è 你好 世界 こんにちは привет мир \t 12345 'S I'LL we're ½ ﬁ 한국어 🎉 ab ba"
_SPLITS = [
    (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
     r"|\s+(?!\S)|\s+"),
    (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]|\s+(?!\S)"
     r"|\s"),
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
    r"\p{L}+|\p{N}|[^\p{L}\p{N}]+",
]  # fmt: skip


def corpus(source):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    lines = [line for page in source.sample(pages, 5) for line in page.read_text(encoding="utf-8").split("\n")]
    return [line[:2000] for line in lines if line] + [_FOREIGN] * 20


def byte_tokenizer():
    """The content of a tokenizer.json whose ids are the bytes of the text."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    vocabulary = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []}  # fmt: skip
    return json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                       "pre_tokenizer": byte_level, "post_processor": None, "decoder": None, "model": model})  # fmt: skip


def _normalizer(source):
    from tokenizers import Regex, normalizers as N

    steps = {"NFC": N.NFC(), "NFD": N.NFD(), "NFKC": N.NFKC(), "NFKD": N.NFKD(), "Lowercase": N.Lowercase(),
             "white space": N.Replace(Regex(r"\s+"), " "), "quotes": N.Replace("''", '"')}  # fmt: skip
    chosen = source.sample(sorted(steps), source.choice([0, 0, 1, 1, 2]))
    return "+".join(chosen), [steps[name] for name in chosen]


def _pre_tokenizer(source, has_bytes):
    from tokenizers import Regex, pre_tokenizers as P

    behaviors = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]
    kind = source.choice(["split", "digits", "gpt2", "white space split"] if has_bytes else
                         ["metaspace", "metaspace", "metaspace", "white space", "white space split", "split", "digits"])  # fmt: skip
    scheme, split = source.choice(["always", "first", "never"]), source.random() < 0.5
    regex, behavior = source.choice(_SPLITS), source.choice(behaviors)
    if kind == "white space split" and scheme == "first":
        scheme = "always"  # "first" after another pre-tokenizer is refused
    stages = {
        "metaspace": lambda: [P.Metaspace("▁", scheme, split)],
        "white space": lambda: [P.Whitespace()],
        "white space split": lambda: [P.WhitespaceSplit(), *([] if has_bytes else [P.Metaspace("▁", scheme, split)])],
        "split": lambda: [P.Split(Regex(regex), behavior, source.random() < 0.3)],
        "digits": lambda: [P.Digits(source.random() < 0.5), *([] if has_bytes else [P.Split(" ", behavior)])],
        "gpt2": lambda: [],
    }[kind]()
    if has_bytes:
        stages.append(P.ByteLevel(add_prefix_space=source.random() < 0.5, use_regex=kind == "gpt2"))
    name = " ".join([kind, scheme if "Metaspace" in str(stages) else "", "" if split else "whole"])
    return name, stages[0] if len(stages) == 1 else P.Sequence(stages)


def _added_tokens(source):
    from tokenizers import AddedToken

    return [AddedToken(content, single_word=source.random() < 0.3, lstrip=source.random() < 0.3,
                       rstrip=source.random() < 0.3, normalized=source.random() < 0.5)
            for content in source.sample(["word", "[X]", "  ", "    ", "\n\n\n", "Straße", "12", "<user>"], 3)]  # fmt: skip


def _decoder(source, has_bytes):
    """Those of real files, and others that suit less."""
    from tokenizers import decoders

    llama = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    fitting = [decoders.ByteLevel()] if has_bytes else [llama, decoders.Metaspace("▁", "always")]
    others = [decoders.ByteLevel(), llama, decoders.Fuse(), decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])]
    return source.choice(fitting if source.random() < 0.6 else others)


def json_tokenizers(source, number):
    """See compare_tokenizers() in scripts/compare_tokenizers.py."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    seeds = [source.random() for _ in range(number)]

    def trained(folder, index):
        own = random.Random(seeds[index])
        is_unigram, has_bytes = index % 4 == 3, index % 2 == 0
        normalizer_name, steps = _normalizer(own)
        pre_name, pre_tokenizer = _pre_tokenizer(own, has_bytes)
        has_fallback = not has_bytes and own.random() < 0.5
        options = {} if has_bytes else {"unk_token": "<unk>", "fuse_unk": own.random() < 0.5,
                                        "byte_fallback": has_fallback, "ignore_merges": own.random() < 0.3}  # fmt: skip
        tokenizer = Tokenizer(models.Unigram() if is_unigram else models.BPE(**options))
        if steps:
            tokenizer.normalizer = normalizers.Sequence(steps)
        # No merge may take in a whole line, so that these are trained on words.
        tokenizer.pre_tokenizer = pre_tokenizer if has_bytes else pre_tokenizers.Metaspace("▁", "always")
        bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if has_fallback else []
        settings = {"special_tokens": ["<unk>", "<s>", "</s>", *bytes_], "show_progress": False,
                    "initial_alphabet": pre_tokenizers.ByteLevel.alphabet() if has_bytes else []}  # fmt: skip
        if is_unigram:
            trainer = trainers.UnigramTrainer(vocab_size=own.randrange(600, 1500), unk_token="<unk>", **settings)
        else:
            trainer = trainers.BpeTrainer(vocab_size=own.randrange(600, 2000), max_token_length=12, **settings)
        tokenizer.train_from_iterator(corpus(own), trainer)
        tokenizer.pre_tokenizer = pre_tokenizer
        content = json.loads(tokenizer.to_str())
        # Byte tokens are for characters that the vocabulary lacks; they are not looked for in the text.
        content["added_tokens"] = [t for t in content["added_tokens"] if not t["content"].startswith("<0x")]
        if is_unigram and has_fallback:
            content["model"]["byte_fallback"] = True
        tokenizer = Tokenizer.from_str(json.dumps(content))
        can_add = not (steps and "first" in pre_name)  # refused with normalized added tokens
        if can_add and own.random() < 0.6:
            tokenizer.add_tokens(_added_tokens(own))
        tokenizer.decoder = _decoder(random.Random(seeds[index] + 1), has_bytes)
        path = folder / "tokenizer.json"
        tokenizer.save(str(path))
        name = f"tokenizer.json {index}: {'Unigram' if is_unigram else 'BPE'}, {pre_name}, {normalizer_name}, {options}"
        return path, name, lambda texts: [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return trained


def sentencepiece_models(source, number):
    """See compare_tokenizers() in scripts/compare_tokenizers.py."""
    import sentencepiece

    seeds = [source.random() for _ in range(number)]

    def trained(folder, index):
        own = random.Random(seeds[index])
        model_type = (["unigram", "bpe"] * 5 + ["char", "word"])[index % 12]
        options = {
            "model_type": model_type,
            "vocab_size": own.randrange(700, 1500),
            "normalization_rule_name": own.choice(["nmt_nfkc", "identity", "nfkc", "nmt_nfkc_cf", "nfkc_cf"]),
            "character_coverage": own.choice([0.99, 0.999, 1.0]),
        }
        if model_type == "unigram":
            options["unk_surface"] = "?"
        for name, probability in (("add_dummy_prefix", 0.5), ("remove_extra_whitespaces", 0.5), ("byte_fallback", 0.5),
                                  ("split_digits", 0.5), ("split_by_whitespace", 0.8), ("split_by_number", 0.7),
                                  ("treat_whitespace_as_suffix", 0.15), ("allow_whitespace_only_pieces", 0.4)):  # fmt: skip
            options[name] = own.random() < probability
        symbols = own.sample(["<user>", "ab", "½", "[X]", "\t", "ﬁ", "--", "ab ba", "the"], own.choice([0, 0, 1, 3]))
        model_file = folder / "tokenizer.model"
        with open(model_file, "wb") as writer:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(corpus(own)), model_writer=writer, hard_vocab_limit=False,
                user_defined_symbols=symbols, minloglevel=2, num_threads=1, **options)  # fmt: skip
        processor = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
        shown = ", ".join(f"{key}={value}" for key, value in options.items())
        return model_file, f"SentencePiece {index}: {shown}, {symbols}", processor.encode

    return trained


def vocabulary_size(path):
    import sentencepiece
    import tokenizers

    if path.suffix == ".json":
        return tokenizers.Tokenizer.from_file(str(path)).get_vocab_size()
    return sentencepiece.SentencePieceProcessor(model_file=str(path)).get_piece_size()


def decoder(path):
    """The library's function from ids to text, without special tokens."""
    import sentencepiece
    import tokenizers

    if path.suffix == ".json":
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        return lambda ids: tokenizer.decode(ids, skip_special_tokens=True)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return lambda ids: processor.decode(ids)
