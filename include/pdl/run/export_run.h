// Writes models for other programs without training.
#pragma once

#include <filesystem>

namespace pdl {

// Writes the model of a checkpoint as folder `output`, in the format that the run loaded; adapters
// are merged. The run's model, which must be unchanged, is read from `model_path` or, if that is
// empty, from where the run had it; so is the adapter that it began with. Throws CheckpointError
// for a checkpoint that is not whole, ConfigError for an `output` that is there and not empty or
// the working directory, ModelError for another model, and StorageError.
void export_checkpoint(const std::filesystem::path& checkpoint, const std::filesystem::path& output,
                       const std::filesystem::path& model_path,
                       const std::filesystem::path& adapter_path);

// Writes the Hugging Face folder at `model_path` with a LoRA adapter merged, this program's or
// PEFT's, as folder `output`. Throws as export_checkpoint() does, and ModelError for an adapter
// that does not fit.
void merge_adapter(const std::filesystem::path& adapter, const std::filesystem::path& model_path,
                   const std::filesystem::path& output);

}  // namespace pdl
