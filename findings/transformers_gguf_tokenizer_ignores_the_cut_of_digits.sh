#!/usr/bin/env bash
# A GGUF file names the way in which its byte-level tokenizer cuts a text before merging (tokenizer.ggml.pre). transformers
# knows some of the names and takes GPT-2's way for all others, without a word. Among those it does not know are smollm,
# starcoder, refact, command-r, codeshell and exaone, which cut every digit off: SmolLM2's tokenizer, loaded by
# AutoTokenizer.from_pretrained(…, gguf_file=…), gives other ids than llama.cpp and than the model was trained on where
# blanks stand before a digit, as in tables and code, and where a vocabulary has merges with digits. So a folder that is
# converted from a GGUF file needs its pre-tokenizer repaired: Digits(individual_digits=True) before ByteLevel.
#
# Seen with transformers 5.24.0, tokenizers 0.23.3 and gguf 0.19.0, a file of pre "smollm" whose merges are "Ġ Ġ", "Ġ 1":
#   GGUF: ['a', 'Ġ', 'Ġ1']
#   Digits and ByteLevel: ['a', 'ĠĠ', '1']
# Fails if the file gives the second.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 transformers==5.24.0 tokenizers==0.23.3 gguf==0.19.0 \
  numpy==2.4.0 2>/dev/null
"$folder/venv/bin/python" -W ignore - "$folder/model.gguf" <<'PYTHON'
import os
import sys

import gguf
import transformers
from tokenizers import pre_tokenizers

path = sys.argv[1]
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokens = ["<|endoftext|>", *alphabet, "ĠĠ", "Ġ1"]
writer = gguf.GGUFWriter(path, "llama")
writer.add_context_length(64)
writer.add_embedding_length(8)
writer.add_block_count(1)
writer.add_feed_forward_length(8)
writer.add_head_count(1)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("smollm")
writer.add_token_list(tokens)
writer.add_token_types([3] + [1] * (len(tokens) - 1))
writer.add_token_merges(["Ġ Ġ", "Ġ 1"])
writer.add_eos_token_id(0)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
found = tokenizer.tokenize("a  1")
tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Digits(individual_digits=True),
    pre_tokenizers.ByteLevel(add_prefix_space=False),
])
expected = tokenizer.tokenize("a  1")
print(f"transformers {transformers.__version__}, gguf 0.19.0")
print(f"GGUF: {found}")
print(f"Digits and ByteLevel: {expected}")
assert (found, expected) == (["a", "Ġ", "Ġ1"], ["a", "ĠĠ", "1"]), "the tokenizers behave otherwise now"
PYTHON
