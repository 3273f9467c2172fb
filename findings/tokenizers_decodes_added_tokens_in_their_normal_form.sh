#!/usr/bin/env bash
# tokenizers decodes an added token with normalized true (the default of tokens that are not special) to what its normalizer
# makes of it, not to its content: under Lowercase "Hello" comes back as "hello", from id_to_token(), too. And
# skip_special_tokens leaves out tokens by the text that was looked up, so that a special token whose normal form differs is
# not skipped: its normal form stands in the text. So a text that is searched for "<S>", or cut where a special token was
# generated, must be cut by ids.
#
# Seen with tokenizers 0.23.3, BPE with a Lowercase normalizer, added token "Hello", special token "<S>" with normalized true:
#   decode Hello: 'hello'
#   decode <S>, skip_special_tokens: '<s>'
#   decode <E> (special, normalized false), skip_special_tokens: ''
# Fails if the content is decoded, or the special token is skipped.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tokenizers==0.23.3 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
from tokenizers import AddedToken, Tokenizer, models, normalizers

tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
tokenizer.normalizer = normalizers.Lowercase()
tokenizer.add_tokens([AddedToken("Hello", normalized=True)])
tokenizer.add_special_tokens([AddedToken("<S>", normalized=True), AddedToken("<E>", normalized=False)])
hello, begin, end = (tokenizer.token_to_id(token) for token in ("Hello", "<S>", "<E>"))
seen = (tokenizer.decode([hello]), tokenizer.decode([begin], skip_special_tokens=True),
        tokenizer.decode([end], skip_special_tokens=True))
print(f"decode Hello: {seen[0]!r}\ndecode <S>, skip_special_tokens: {seen[1]!r}")
print(f"decode <E> (special, normalized false), skip_special_tokens: {seen[2]!r}")
assert tokenizer.id_to_token(hello) == "hello"
assert seen == ("hello", "<s>", ""), "added tokens are decoded otherwise now"
PYTHON
