// The JSON of a tokenizer's files: read with limits of its own, numbers as its package reads them.
#pragma once

#include <string_view>

#include "pdl/base/json.h"

namespace pdl::tokenizer_json {

// Reads a text. Throws the error of `blame` for one that is no JSON, is nested too deeply or holds
// too many values.
JsonValue parse_document(std::string_view text, const JsonBlame& blame);

// Returns a number as the `tokenizers` package reads it: its JSON reader is fast and may be
// one unit in the last place away from the nearest double, which can decide between segmentations.
double score_of(const JsonValue& number);

}  // namespace pdl::tokenizer_json
