// Where and in which pieces a job computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pdl/config/run_config.h"
#include "pdl/model/language_model.h"
#include "pdl/run/dataset.h"

namespace pdl {

// The device of the key `device`. Throws ConfigError for one that this machine or LibTorch does not
// have.
at::Device select_device(const std::string& name);

// Sets the number of threads of LibTorch; 0 leaves all.
void apply_num_threads(int64_t num_threads);

struct ComputeOptions {
  std::string device = "auto";  // the keys of run.json
  Precision precision = Precision::kFp32;
  int64_t num_threads = 0;
};

// Where and in which dtype a model computes.
struct ComputeTarget {
  at::Device device = at::kCPU;
  std::optional<at::ScalarType> autocast;  // none for fp32
};

// Selects the device and sets the number of threads. Throws ConfigError for fp16 without CUDA, and
// as select_device() does; warns of a bf16 that this CPU computes slowly.
ComputeTarget set_up_compute(const ComputeOptions& options);

struct ChunkOptions {
  int64_t logits_chunk_rows = 0;  // the key: 0 is automatic
  int64_t train_batch_size = 0;   // sequences
  int64_t eval_batch_size = 0;
};

// Positions of logits that exist at once in training and in evaluation; 0: those of the whole
// batch.
struct ComputePlan {
  int64_t train_chunk_positions = 0;
  int64_t eval_chunk_positions = 0;
};

// Throws ConfigError if chunks are asked for and the model does not split its head.
ComputePlan plan_compute(const ChunkOptions& options, const ModelInfo& model, const Dataset& data);

}  // namespace pdl
