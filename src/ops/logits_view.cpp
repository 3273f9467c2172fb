#include "logits_view.h"

namespace pdl {

at::Tensor view_as_rows(const at::Tensor& logits) {
  const int64_t batch_size = logits.size(0);
  const int64_t length = logits.size(1);
  const bool rows_are_contiguous = logits.size(2) == 1 || logits.stride(2) == 1;
  const bool rows_are_regular =
      batch_size == 1 || length == 1 || logits.stride(0) == length * logits.stride(1);
  const int64_t row_stride = length > 1 ? logits.stride(1) : logits.stride(0);
  const bool rows_are_apart = batch_size * length == 1 || row_stride >= logits.size(2);
  if (!rows_are_contiguous || !rows_are_regular || !rows_are_apart) return {};
  return logits.as_strided({batch_size * length, logits.size(2)}, {row_stride, 1});
}

bool is_sole_owner(const at::Tensor& logits) {
  if (logits.use_count() != 1) return false;
  // A view keeps its base tensor. An operator that saves its own result, such as tanh, holds
  // another tensor of the same storage.
  const bool is_view = logits.is_view();
  if (is_view && logits._base().use_count() != 1) return false;
  return logits.storage().use_count() == (is_view ? 2u : 1u);
}

}  // namespace pdl
