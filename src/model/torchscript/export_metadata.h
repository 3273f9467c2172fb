// What scripts/export_model.py puts beside the program in a file: pdl_meta.json, and the files of
// the Hugging Face folder below hf/.
#pragma once

#include <c10/core/ScalarType.h>
#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pdl/model/hf_folder.h"

namespace pdl {

// A tensor of the Hugging Face folder.
struct ExportedWeight {
  std::string file_name;                // its name in the folder's files
  std::string program_name;             // that of the program's parameter or buffer
  std::optional<at::ScalarType> dtype;  // in the folder's files; nullopt: as in the program
};

// All of it is empty for a file of another writer.
struct ExportMetadata {
  int64_t max_positions = 0;  // tokens in a sequence; 0: there is no limit, or nothing is said
  std::set<std::string> computed_buffers;  // those that transformers does not persist
  // What the folder of the trained model has. Without weights it cannot be written.
  std::vector<ExportedWeight> weights;
  std::vector<CompanionFile> files;  // config.json is the first
};

// Reads it from the files beside a program. Throws ModelError, with `name` as that of the model, if
// pdl_meta.json is of the exporter and its members are not what it writes.
ExportMetadata read_export_metadata(const torch::jit::ExtraFilesMap& files,
                                    const std::string& name);

}  // namespace pdl
