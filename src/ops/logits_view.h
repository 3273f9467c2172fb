// Logits [B, T, V] as a matrix [N, V] with a row for each of the N = B·T positions, and the
// backends that work on it.
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/ops/cross_entropy.h"
#include "pdl/ops/evaluate_positions.h"

namespace pdl {

// Returns a [N, V] view whose rows are contiguous, or an undefined tensor if the layout does not
// allow one.
at::Tensor view_as_rows(const at::Tensor& logits);

// Returns true if the memory of `logits` may be overwritten: no other tensor shares it, and the
// graph that made it has not saved it. `logits` must be the caller's only reference.
bool is_sole_owner(const at::Tensor& logits);

// Each backend replaces the logits [N, V] of row i by w[y_i]/weight_sum·(softmax - onehot(y_i)),
// and those of ignored rows by 0. Targets are [N]; the other arguments are those of
// weighted_cross_entropy.

// float32 and bfloat16 on the CPU: the kernels of kernels/cpu_kernels.h on all threads.
CrossEntropySums cpu_cross_entropy_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                            const at::Tensor& weights,
                                            const at::Tensor& weight_sum);
PositionEvaluations cpu_evaluate_positions(const at::Tensor& rows, const at::Tensor& targets,
                                           const CountedVocabulary& vocabulary);
// Whether the CPU kernels support the dtype and device.
bool has_cpu_kernels(const at::Tensor& rows);

// CUDA: the kernels of kernels/cuda_cross_entropy.h on the current stream. The host reads nothing
// back.
CrossEntropySums cuda_cross_entropy_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                             const at::Tensor& weights,
                                             const at::Tensor& weight_sum);
PositionEvaluations cuda_evaluate_positions(const at::Tensor& rows, const at::Tensor& targets,
                                            const at::Tensor& bands);
// Computes rows *= factor, where `factor` is a [] float64 on the device. If it is 1, the rows are
// not even read.
void cuda_scale_rows(const at::Tensor& rows, const at::Tensor& factor);
// Whether the CUDA kernels support the dtype and device; false in a build without them.
bool has_cuda_kernels(const at::Tensor& rows);

// Any device and dtype: ATen's operators on chunks of rows, so that only one chunk exists in
// float32 besides the logits.
CrossEntropySums reference_cross_entropy_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                                  const at::Tensor& weights,
                                                  const at::Tensor& weight_sum);
PositionEvaluations reference_evaluate_positions(const at::Tensor& rows, const at::Tensor& targets,
                                                 const at::Tensor& bands);

}  // namespace pdl
