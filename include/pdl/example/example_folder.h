// Makes a small Llama as a Hugging Face folder, for examples and tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pdl/example/example_model.h"

namespace pdl {

// Returns the names and contents of config.json, generation_config.json and model.safetensors. Two
// heads share one of keys and values, and the head is tied to the embedding. bos and eos are the
// ids 1 and 2, as in the tokenizers of examples. The parameters depend on the arguments alone and
// are the same on every machine.
std::vector<std::pair<std::string, std::string>> make_example_folder(const ExampleModelSizes& sizes,
                                                                     uint64_t seed);

}  // namespace pdl
