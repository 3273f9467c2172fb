#!/usr/bin/env bash
# A tokenizer.model that transformers converts gives other ids than sentencepiece gives for the same file, where the text
# spells a control token: "<unk>" becomes the one id of unk, which sentencepiece never makes of that text, because its
# control symbols cannot be written. WikiText spells tens of thousands of rare words "<unk>". So a corpus counted with
# sentencepiece has no unk and many more "<", "un", "k", ">" than what transformers trains on, and two programs that read
# the same tokenizer.model differ in frequencies, losses and generated text. "split_special_tokens=True" makes the ids equal.
#
# Seen with transformers 5.24.0, tokenizers 0.23.3, sentencepiece 0.2.3, "the <unk> sea":
#   sentencepiece: ['▁the', '▁', '<0x3C>', 'u', 'n', '<0x6B>', '<0x3E>', '▁s', 'ea']
#   transformers: ['▁the', '<unk>', '▁s', 'ea']
#   transformers, split_special_tokens: ['▁the', '▁', '<0x3C>', 'u', 'n', '<0x6B>', '<0x3E>', '▁s', 'ea']
# Fails if transformers reads the text as sentencepiece does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet transformers==5.24.0 tokenizers==0.23.3 sentencepiece==0.2.3 protobuf 2>/dev/null
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import pathlib
import random

import sentencepiece
import transformers

random.seed(1)
words = "the of a day long sea wind two after she told him never green house light stone water".split()
with open("tokenizer.model", "wb") as writer:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(random.choices(words, k=8)) for _ in range(500)), model_writer=writer,
        model_type="bpe", vocab_size=320, byte_fallback=True, hard_vocab_limit=False, minloglevel=2)
pathlib.Path("config.json").write_text('{"model_type": "llama"}')
processor = sentencepiece.SentencePieceProcessor(model_file="tokenizer.model")
tokenizer = transformers.AutoTokenizer.from_pretrained(".")


def pieces(text, **options):
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False, **options)["input_ids"])


text = "the <unk> sea"
own, converted = processor.encode(text, out_type=str), pieces(text)
print(f"sentencepiece: {own}")
print(f"transformers: {converted}")
print(f"transformers, split_special_tokens: {pieces(text, split_special_tokens=True)}")
assert pieces("the sea") == processor.encode("the sea", out_type=str)
assert "<unk>" in converted and "<unk>" not in own, "the libraries agree now"
PYTHON
