#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "logits_view.h"
#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/kernels/cuda_cross_entropy.h"
#include "pdl/ops/ignore_target.h"

namespace pdl {
namespace {

static_assert(kPdlCudaBands == kMaxBands && kPdlCudaIgnoredTarget == kIgnoreTarget);

int dtype_of(const at::Tensor& rows) {
  switch (rows.scalar_type()) {
    case at::kFloat:
      return kPdlCudaFloat32;
    case at::kBFloat16:
      return kPdlCudaBFloat16;
    default:
      return kPdlCudaFloat16;
  }
}

void* stream_of(const at::Tensor& rows) {
  return c10::cuda::getCurrentCUDAStream(rows.device().index()).stream();
}

void check(int code) {
  if (code == 0) return;
  throw Error(ExitCode::kInternal,
              std::string("a CUDA kernel could not be launched: ") + pdl_cuda_error_string(code));
}

at::Tensor empty(const at::Tensor& rows, at::IntArrayRef shape, at::ScalarType dtype) {
  return at::empty(shape, rows.options().dtype(dtype));
}

}  // namespace

bool has_cuda_kernels(const at::Tensor& rows) {
  const at::ScalarType dtype = rows.scalar_type();
  return rows.is_cuda() && (dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf);
}

CrossEntropySums cuda_cross_entropy_gradient(const at::Tensor& rows, const at::Tensor& targets,
                                             const at::Tensor& weights,
                                             const at::Tensor& weight_sum) {
  const c10::cuda::CUDAGuard guard(rows.device());
  const at::Tensor y = targets.contiguous();
  const at::Tensor w = weights.contiguous();
  const at::Tensor ce = empty(rows, {rows.size(0)}, at::kDouble);
  CrossEntropySums sums{empty(rows, {}, at::kDouble), empty(rows, {}, at::kDouble)};
  check(pdl_cuda_cross_entropy_gradient(
      rows.data_ptr(), dtype_of(rows), rows.size(0), rows.size(1), rows.stride(0),
      y.const_data_ptr<int64_t>(), w.const_data_ptr<float>(), weight_sum.const_data_ptr<double>(),
      ce.mutable_data_ptr<double>(), sums.weighted_sum.mutable_data_ptr<double>(),
      sums.ce_sum.mutable_data_ptr<double>(), stream_of(rows)));
  return sums;
}

PositionEvaluations cuda_evaluate_positions(const at::Tensor& rows, const at::Tensor& targets,
                                            const at::Tensor& bands) {
  const c10::cuda::CUDAGuard guard(rows.device());
  const at::Tensor y = targets.contiguous();
  const at::Tensor band_of_token = bands.contiguous();
  const at::Tensor ce = empty(rows, {rows.size(0)}, at::kDouble);
  const at::Tensor argmax = empty(rows, {rows.size(0)}, at::kLong);
  const at::Tensor mass = empty(rows, {rows.size(0), kPdlCudaBands}, at::kDouble);
  check(pdl_cuda_cross_entropy_evaluation(
      rows.const_data_ptr(), dtype_of(rows), rows.size(0), rows.size(1), rows.stride(0),
      y.const_data_ptr<int64_t>(), band_of_token.const_data_ptr<uint8_t>(),
      ce.mutable_data_ptr<double>(), argmax.mutable_data_ptr<int64_t>(),
      mass.mutable_data_ptr<double>(), stream_of(rows)));
  return {ce, argmax.eq(y), mass.sum(0)};
}

void cuda_scale_rows(const at::Tensor& rows, const at::Tensor& factor) {
  const c10::cuda::CUDAGuard guard(rows.device());
  check(pdl_cuda_scale_unless_one(rows.data_ptr(), dtype_of(rows), rows.size(0), rows.size(1),
                                  rows.stride(0), factor.const_data_ptr<double>(),
                                  stream_of(rows)));
}

}  // namespace pdl
