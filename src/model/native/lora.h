// The adapters of a decoder: which matrices have one, their weights, and their files.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "parameters.h"
#include "pdl/model/families/decoder_spec.h"
#include "pdl/model/lora.h"
#include "pdl/model/parameter_set.h"
#include "stored_weights.h"

namespace pdl {

// The adapter of one matrix.
struct LoraParameters {
  Parameter a;       // [rank, in] float32
  Parameter b;       // [out, rank] float32
  double scale = 1;  // alpha / rank
  double dropout = 0;
};

// A matrix that has an adapter.
struct LoraModule {
  std::string name;  // of list_tensors(), without ".weight"
  int64_t in = 0;
  int64_t out = 0;
};

// All adapters of a decoder. Empty without LoRA.
class LoraAdapters {
 public:
  LoraAdapters() = default;
  // Throws ConfigError for target_modules that match no matrix or one that cannot be merged, and
  // for settings that differ from the adapter's; ModelError for an adapter that is not one of this
  // model or has what is not supported.
  LoraAdapters(const DecoderSpec& spec, const StoredWeights& stored, const LoraOptions& options,
               at::Device device, const std::vector<std::string>& freeze);

  bool is_on() const { return !modules_.empty(); }
  int64_t rank() const { return options_.rank; }
  // The adapter of "<name>.weight"; without values if it has none.
  LoraParameters find(const std::string& name) const;
  // Under PEFT's names.
  const ParameterSet& parameters() const { return parameters_; }
  // The SHA-256 of the adapter to start from; empty without one.
  const std::string& sha256() const { return sha256_; }

  // Adds scale·B·A to the matrix of "<name>.weight" [out, in], or [in, out] if `transposed`,
  // float32 on the host. Does nothing if that has no adapter.
  void merge_into(const at::Tensor& matrix, const std::string& name, bool transposed) const;

  // Writes adapter_config.json and adapter_model.safetensors into `folder`. Throws StorageError.
  void save(const std::filesystem::path& folder, const std::filesystem::path& base) const;

 private:
  void initialise(uint64_t seed);
  void read(const std::filesystem::path& folder);

  std::vector<LoraModule> modules_;
  LoraOptions options_;  // as they count
  bool fan_in_fan_out_ = false;
  double scale_ = 1;
  TrainedTensors tensors_;
  ParameterSet parameters_;
  std::string sha256_;
};

}  // namespace pdl
