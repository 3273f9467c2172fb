// The JSON Schema of run.json, for editors and for checks before a job is submitted.
#pragma once

#include <string>

namespace pdl {

// Returns a JSON Schema, draft 2020-12, as pretty-printed text, made from the table of keys. It
// accepts what load_config() accepts for training, except for what a schema cannot say: whether a
// regular expression compiles, a glob matches, a byte or a duplicate key is allowed, or an integer
// is written as 1.0.
std::string config_schema_json();

}  // namespace pdl
