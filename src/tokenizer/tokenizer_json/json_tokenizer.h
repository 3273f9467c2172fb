// A Hugging Face `tokenizer.json` as a Tokenizer (pdl/tokenizer/tokenizer.h). Its ids are those of
// the `tokenizers` package, without what a post-processor would add.
//
// Supported: models BPE and Unigram; normalizers NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend,
// and sequences of them; pre-tokenizers Split, ByteLevel (last), Digits, Metaspace, Whitespace,
// WhitespaceSplit; and sequences of them; added tokens with all their options. Whatever else could
// change an id is refused by name. All decoders; one that is not known is refused when it is used.
#pragma once

#include <filesystem>
#include <memory>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// bos, eos and pad are those of `tokenizer_config.json` beside the file. Throws ModelError if a
// file is unreadable, malformed, or asks for what is not supported.
std::unique_ptr<Tokenizer> load_json_tokenizer(const std::filesystem::path& path);

}  // namespace pdl
