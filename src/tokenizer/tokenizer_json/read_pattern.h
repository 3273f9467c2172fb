// The patterns of a tokenizer.json.
#pragma once

#include <string>

#include "pdl/base/json.h"
#include "pdl/pattern/pattern.h"

namespace pdl::tokenizer_json {

// Reads the member "pattern" of an object: {"String": …} or {"Regex": …}. `literal`, if not null,
// receives the string, or "" for a regular expression. Throws ModelError for a pattern that is not
// supported.
Pattern read_pattern(ObjectReader& reader, std::string* literal = nullptr);

}  // namespace pdl::tokenizer_json
