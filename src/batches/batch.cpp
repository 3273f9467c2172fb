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

// Returns an undefined tensor if every sequence is of one document. Padding belongs to the last
// document of its sequence.
at::Tensor document_starts(const Sequences& rows, const std::vector<int64_t>& rows_of_batch,
                           int64_t length) {
  at::Tensor all = at::empty({std::ssize(rows_of_batch), length}, at::kLong);
  auto* starts = all.mutable_data_ptr<int64_t>();
  bool is_one_document = true;
  for (const int64_t row : rows_of_batch) {
    const std::vector<int64_t> begins = rows.document_begins(row);
    for (size_t i = 0; i < begins.size(); ++i) {
      const int64_t end = i + 1 < begins.size() ? begins[i + 1] : length;
      std::fill(starts + begins[i], starts + end, begins[i]);
    }
    is_one_document = is_one_document && begins.size() == 1;
    starts += length;
  }
  return is_one_document ? at::Tensor() : all;
}

}  // namespace

at::Tensor target_positions(const at::Tensor& targets) {
  const auto* target = targets.const_data_ptr<int64_t>();
  const int64_t size = targets.numel();
  at::Tensor positions =
      at::empty({size - std::count(target, target + size, kIgnoreTarget)}, at::kLong);
  auto* next = positions.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < size; ++i) {
    if (target[i] != kIgnoreTarget) *next++ = i;
  }
  return positions;
}

at::Tensor at_target_positions(const Batch& batch, const at::Tensor& values) {
  return values.flatten(0, 1).index_select(0, batch.target_positions).unsqueeze(0);
}

Batch make_batch(const Sequences& rows, const std::vector<int64_t>& rows_of_batch,
                 const BatchOptions& options) {
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
    std::fill(std::transform(tokens.begin(), tokens.end(), ids, id_of), ids + length,
              options.pad_id);
    std::fill(std::transform(tokens.begin() + 1, tokens.end(), targets, target_of),
              targets + length, kIgnoreTarget);
    ids += length;
    targets += length;
  }
  batch.target_positions = target_positions(batch.targets);
  batch.num_tokens = batch.target_positions.numel();
  if (options.isolate_documents) {
    batch.document_starts = document_starts(rows, rows_of_batch, length);
    if (batch.document_starts.defined())
      batch.document_starts = on_device(batch.document_starts, options.device);
  }
  batch.input_ids = on_device(batch.input_ids, options.device);
  batch.targets = on_device(batch.targets, options.device);
  batch.target_positions = on_device(batch.target_positions, options.device);
  return batch;
}

}  // namespace pdl
