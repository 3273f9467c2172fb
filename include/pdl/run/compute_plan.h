// Decides on which device, in which dtype and in which chunks a job computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pdl/config/run_config.h"
#include "pdl/metrics/metrics.h"
#include "pdl/model/language_model.h"
#include "pdl/run/dataset.h"

namespace pdl {

// Returns the device of the key `device`. Throws ConfigError if this machine or LibTorch does not
// have it.
at::Device select_device(const std::string& name);

// Sets the number of threads of LibTorch; 0 leaves it unchanged, which is all cores.
void apply_num_threads(int64_t num_threads);

// What the keys ask for.
struct ComputeOptions {
  std::string device = "auto";  // the keys of run.json
  Precision precision = Precision::kFp32;
  int64_t num_threads = 0;
};

// The device and dtype in which a model computes.
struct ComputeTarget {
  at::Device device = at::kCPU;
  std::optional<at::ScalarType> autocast;  // none for fp32
  bool splits_products = false;            // fp32x3
};

// Selects the device and sets the number of threads. Throws ConfigError for fp16 without CUDA, for
// fp32x3 with it, and as select_device() does; warns of a precision that is slow here.
ComputeTarget set_up_compute(const ComputeOptions& options);

// Returns with what a model on `device` is computed.
ComputeMetrics describe_compute(at::Device device);

// What the keys say of how batches are computed.
struct BatchPlanOptions {
  IsolateDocuments isolate_documents = IsolateDocuments::kAuto;
  int64_t logits_chunk_rows = 0;  // the key: 0 is automatic
  int64_t train_batch_size = 0;   // sequences
  int64_t eval_batch_size = 0;
};

// The number of positions whose logits exist at once, in training and in evaluation; 0: all of the
// batch.
struct ComputePlan {
  int64_t train_chunk_positions = 0;
  int64_t eval_chunk_positions = 0;
  bool isolate_documents = false;  // see BatchOptions
};

// Throws ConfigError if the keys ask for chunks, or for documents apart, and the model cannot do
// that.
ComputePlan plan_compute(const BatchPlanOptions& options, const ModelInfo& model,
                         const Dataset& data);

}  // namespace pdl
