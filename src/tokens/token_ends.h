// Which bytes of a text its tokens stand for. Private to the module.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Returns for each of `ids`, the encoding of `text`, where the bytes of its token end; they begin
// where those of the token before end. White space that a tokenizer drops belongs to the token
// after it. Exact where the text holds what Tokenizer::text_of() says; where a tokenizer has
// changed the text, tokens that do not match share what lies before the next one that does.
std::vector<size_t> find_token_ends(const Tokenizer& tokenizer, std::string_view text,
                                    std::span<const int32_t> ids);

}  // namespace pdl
