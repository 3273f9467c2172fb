// Replaces cross_entropy_cuda.cpp in builds without the CUDA kernels.
#include <stdexcept>

#include "logits_view.h"

namespace pdl {
namespace {

[[noreturn]] void refuse() { throw std::logic_error("this build has no CUDA kernels"); }

}  // namespace

bool has_cuda_kernels(const at::Tensor&) { return false; }

CrossEntropySums cuda_cross_entropy_gradient(const at::Tensor&, const at::Tensor&,
                                             const at::Tensor&, const at::Tensor&) {
  refuse();
}

PositionEvaluations cuda_evaluate_positions(const at::Tensor&, const at::Tensor&,
                                            const at::Tensor&) {
  refuse();
}

void cuda_scale_rows(const at::Tensor&, const at::Tensor&) { refuse(); }

}  // namespace pdl
