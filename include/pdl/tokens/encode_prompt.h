// The ids of a text that a model continues.
#pragma once

#include <cstdint>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/corpus/document.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Returns the ids that the document has at the begin of a training sequence: with bos if
// options.add_bos and it is no chat, without eos. Throws ModelError if the tokenizer has no bos to
// add.
std::vector<int32_t> encode_prompt(const Document& document, const Tokenizer& tokenizer,
                                   TextOptions options);

}  // namespace pdl
