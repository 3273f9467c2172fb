// Reads config.json of a Hugging Face folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// A decoder, and what its user should know of how config.json was read.
struct FamilyConfig {
  DecoderSpec spec;
  std::vector<std::string> notes;  // lines, e.g. of settings that replace others
};

// Returns the decoder that transformers 5 would build for `text`, the content of config.json: with
// the class's defaults for what is missing, and older spellings. `name` is that of the model, for
// messages.
//
// Throws ModelError that names key and value: for a model_type that is not supported, for a setting
// that the decoder does not have (e.g. rope_type "yarn"), for values that do not fit together, and
// for a key that the class of transformers does not list, unless it is null or false, or known to
// have no effect.
FamilyConfig read_decoder_spec(std::string_view text, const std::string& name);

// Returns the model_types that are read, for messages and documents.
const std::vector<std::string>& native_families();

}  // namespace pdl
