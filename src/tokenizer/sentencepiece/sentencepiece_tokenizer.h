// A SentencePiece `.model` as a Tokenizer (pdl/tokenizer/tokenizer.h).
#pragma once

#include <filesystem>
#include <memory>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Throws ModelError if the file is missing, unreadable or not a model that works; a file on which
// the library would end the process is refused too.
std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& path);

}  // namespace pdl
