#include "pdl/run/compute_plan.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/model/logits_chunks.h"

namespace pdl {
namespace {

// Plans for batches of up to `batch_size` of the sequences.
int64_t chunk_positions(int64_t wanted, const ModelInfo& model, const Sequences& sequences,
                        int64_t batch_size) {
  if (wanted > 0) return wanted;
  return automatic_chunk_positions(model,
                                   std::min(batch_size, sequences.size()) * sequences.longest());
}

std::optional<at::ScalarType> autocast_dtype(Precision precision, at::Device device) {
  switch (precision) {
    case Precision::kFp32:
      return std::nullopt;
    case Precision::kBf16:
      if (device.is_cpu() && !has_bfloat16_instructions()) {
        log_warning(
            "this CPU has no bfloat16 instructions: precision \"bf16\" will not be faster than "
            "\"fp32\", and somewhat slower for a TorchScript model");
      }
      return at::kBFloat16;
    case Precision::kFp16:
      if (!device.is_cuda()) {
        throw ConfigError(
            "precision: \"fp16\" needs CUDA; use \"bf16\" or \"fp32\" on this device");
      }
      return at::kHalf;
    case Precision::kFp32x3:
      if (!device.is_cpu()) {
        throw ConfigError(
            "precision: \"fp32x3\" is for CPUs; use \"bf16\" or \"fp32\" on this device");
      }
      if (supported_instruction_sets().back() != InstructionSet::kAmx)
        log_warning("this CPU has no AMX: precision \"fp32x3\" will be slower than \"fp32\"");
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

at::Device select_device(const std::string& name) {
  const bool has_cuda = at::hasCUDA();
  if (name == "auto") return has_cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  at::Device device(name);
  if (device.is_cuda() && !has_cuda) {
    throw ConfigError(
        "device: \"" + name +
        "\" cannot be used: there is no CUDA device, or this LibTorch has no CUDA; use \"cpu\"");
  }
  if (device.is_cuda() && !device.has_index()) device.set_index(0);
  if (device.is_cuda() && device.index() >= at::detail::getCUDAHooks().deviceCount()) {
    throw ConfigError("device: \"" + name + "\" does not exist");
  }
  return device;
}

void apply_num_threads(int64_t num_threads) {
  if (num_threads > 0) at::set_num_threads(static_cast<int>(num_threads));
}

ComputeTarget set_up_compute(const ComputeOptions& options) {
  const at::Device device = select_device(options.device);
  apply_num_threads(options.num_threads);
  return {device, autocast_dtype(options.precision, device),
          options.precision == Precision::kFp32x3};
}

ComputeMetrics describe_compute(at::Device device) {
  return {.device = device.str(),
          .kernels = device.is_cpu() ? name_of(supported_instruction_sets().back()) : "CUDA",
          .num_threads = at::get_num_threads()};
}

ComputePlan plan_compute(const BatchPlanOptions& options, const ModelInfo& model,
                         const Dataset& data) {
  const int64_t wanted = options.logits_chunk_rows;
  if (wanted > 0 && !model.splits_head) {
    throw ConfigError("logits_chunk_rows: model '" + model.path.string() +
                      "' has no methods hidden and head, so its logits cannot be made in chunks; "
                      "use 0, or export the model with scripts/export_model.py");
  }
  ComputePlan plan;
  plan.isolate_documents = options.isolate_documents != IsolateDocuments::kFalse;
  if (plan.isolate_documents && !model.isolates_documents) {
    if (options.isolate_documents == IsolateDocuments::kTrue) {
      throw ConfigError("isolate_documents: model '" + model.path.string() +
                        "' is a TorchScript file, which takes ids alone; use \"auto\" or false");
    }
    plan.isolate_documents = false;
  }
  if (data.train) {
    plan.train_chunk_positions =
        chunk_positions(wanted, model, *data.train, options.train_batch_size);
  }
  if (data.eval) {
    plan.eval_chunk_positions = chunk_positions(wanted, model, *data.eval, options.eval_batch_size);
  }
  return plan;
}

}  // namespace pdl
