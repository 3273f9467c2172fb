// The tensors of a Hugging Face folder: how its files name and store what a decoder needs.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pdl/model/families/decoder_spec.h"
#include "pdl/tensors/tensor_store.h"
#include "pdl/tensors/write_tensors.h"

namespace pdl {

// A tensor of a decoder as the files have it.
struct StoredTensor {
  TensorSpec spec;
  std::string file_name;
  std::vector<std::string> file_aliases = {};  // further names of a tied head or embedding
  at::ScalarType dtype = at::kFloat;           // in the files
};

// All tensors of a decoder, each once.
struct StoredWeights {
  TensorStore store;
  std::vector<StoredTensor> tensors = {};  // in the order of list_tensors(); the head's come last
  bool ties_head = false;                  // the head's matrix is the embedding
  std::vector<std::string> notes =
      {};  // lines of what was read otherwise than config.json suggests
};

// Finds the tensors of `spec` in model.safetensors or its shards. Names may lack the prefix of the
// family. Whether the head is tied is decided by the files, as transformers does:
//
//   both matrices, different     two
//   both matrices, equal         one if spec.ties_head, else two
//   one of them                  one if spec.ties_head, else an error
//
// Buffers that older versions stored are passed over. Throws ModelError for files that cannot be
// read, and for a tensor that is missing, surplus, or of another shape or dtype.
StoredWeights find_weights(const std::filesystem::path& folder, const DecoderSpec& spec);

}  // namespace pdl
