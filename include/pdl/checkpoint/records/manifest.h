// MANIFEST.json: what the files of a checkpoint are. A checkpoint is as its manifest says, or it is
// damaged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/base/file_digest.h"

namespace pdl {

// The content of MANIFEST.json: what a checkpoint consists of.
struct Manifest {
  int64_t step = 0;
  std::map<std::string, FileDigest> files;  // by name, without the manifest
};

// Returns the text of MANIFEST.json.
std::string to_json(const Manifest& manifest);

// Reads the text of MANIFEST.json. Throws CheckpointError, with `name`, for any text that to_json()
// does not give, so that each changed byte of a manifest is either refused here or names another
// step, size or hash.
Manifest parse_manifest(std::string_view text, const std::string& name);

inline constexpr const char* kTrainerStateFile = "trainer_state.json";

// The tensors of a checkpoint, in files of the names that tensor_file_name() gives: one file, or
// one for each rank, in the order of the ranks.
struct TensorFiles {
  std::vector<std::string> model;
  std::vector<std::string> optimizer;
};

// Returns "model.safetensors", or of several ranks "model-00000-of-00004.safetensors".
std::string tensor_file_name(std::string_view group, int64_t rank = 0, int64_t num_ranks = 1);

// Returns the tensor files of a manifest. Throws CheckpointError, with `name`, unless it lists the
// trainer state, every file of the model and of the optimizer, and nothing else. Hence no name that
// it lists leads out of the checkpoint's folder.
TensorFiles tensor_files(const Manifest& manifest, const std::string& name);

}  // namespace pdl
