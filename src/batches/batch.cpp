#include "pdl/batches/batch.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace pdl {
namespace {

// A copy from pinned memory does not make the host wait.
at::Tensor on_device(const at::Tensor& tensor, at::Device device) {
  if (!device.is_cuda()) return tensor.to(device);
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace

Batch make_batch(const Sequences& rows, const std::vector<int64_t>& rows_of_batch, int32_t pad_id,
                 at::Device device) {
  int64_t length = 0;
  for (const int64_t row : rows_of_batch) {
    length = std::max(length, static_cast<int64_t>(rows.tokens(row).size()));
  }
  const auto batch_size = static_cast<int64_t>(rows_of_batch.size());
  Batch batch;
  // Uses no operator of ATen: on another thread that would start a second team of OpenMP threads.
  batch.input_ids = at::empty({batch_size, length}, at::kLong);
  batch.targets = at::empty({batch_size, length}, at::kLong);
  auto* ids = batch.input_ids.mutable_data_ptr<int64_t>();
  auto* targets = batch.targets.mutable_data_ptr<int64_t>();
  for (const int64_t row : rows_of_batch) {
    const auto tokens = rows.tokens(row);
    const auto id_of = [](const Token& token) { return token.id(); };
    const auto target_of = [](const Token& token) {
      return token.is_trained() ? token.id() : kIgnoreTarget;
    };
    std::fill(std::transform(tokens.begin(), tokens.end(), ids, id_of), ids + length, pad_id);
    std::fill(std::transform(tokens.begin() + 1, tokens.end(), targets, target_of),
              targets + length, kIgnoreTarget);
    batch.num_tokens += std::count_if(targets, targets + length,
                                      [](int64_t target) { return target != kIgnoreTarget; });
    ids += length;
    targets += length;
  }
  batch.input_ids = on_device(batch.input_ids, device);
  batch.targets = on_device(batch.targets, device);
  return batch;
}

}  // namespace pdl
