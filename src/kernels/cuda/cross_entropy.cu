#include "kernels/cuda/cross_entropy.cuh"

#include <cuda_runtime.h>

#include "pdl/kernels/cuda_cross_entropy.h"

namespace pdl::cuda {
namespace {

static_assert(kBands == kPdlCudaBands);

struct DeviceLimits {
  int device = -1;
  int multiprocessors = 0;
  int shared_memory_per_block = 0;
};

// Queries the current device once per device and thread.
cudaError_t device_limits(DeviceLimits& limits) {
  static thread_local DeviceLimits known;
  int device = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess && device != known.device) {
    DeviceLimits asked;
    asked.device = device;
    error = cudaDeviceGetAttribute(&asked.multiprocessors, cudaDevAttrMultiProcessorCount, device);
    if (error == cudaSuccess) {
      error = cudaDeviceGetAttribute(&asked.shared_memory_per_block,
                                     cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    }
    if (error == cudaSuccess) known = asked;
  }
  limits = known;
  return error;
}

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), int64_t blocks, int threads, int64_t shared_bytes,
                   void* stream, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.stream = static_cast<cudaStream_t>(stream);
  return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

// As many blocks as run at once; each loops over rows of the matrix.
template <class T, class Kernel, class... Arguments>
cudaError_t launch_over_rows(Kernel kernel, const LaunchPlan& plan, int multiprocessors,
                             const Matrix<T>& matrix, void* stream, Arguments... arguments) {
  cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                           static_cast<int>(plan.shared_bytes));
  if (error != cudaSuccess) return error;
  int resident_blocks = 0;
  error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident_blocks, kernel, plan.threads,
                                                        static_cast<size_t>(plan.shared_bytes));
  if (error != cudaSuccess) return error;
  const int64_t blocks = plan_grid(matrix.rows, multiprocessors, resident_blocks, plan.passes);
  return launch(kernel, blocks, plan.threads, plan.shared_bytes, stream, matrix, arguments...);
}

// Launches the instance of a kernel that fits the rows of the matrix.
template <class T, class Kernel, class... Arguments>
cudaError_t launch_cross_entropy(Kernel on_chip, Kernel reread, const Matrix<T>& matrix,
                                 void* stream, Arguments... arguments) {
  if (matrix.rows == 0) return cudaSuccess;
  DeviceLimits limits;
  const cudaError_t error = device_limits(limits);
  if (error != cudaSuccess) return error;
  const LaunchPlan plan =
      plan_cross_entropy(matrix.columns, sizeof(T), limits.shared_memory_per_block);
  return launch_over_rows(plan.passes == 1 ? on_chip : reread, plan, limits.multiprocessors, matrix,
                          stream, arguments...);
}

// Calls function(element of that type); returns cudaErrorInvalidValue for an unknown dtype.
template <class Function>
cudaError_t with_dtype(int dtype, Function function) {
  switch (dtype) {
    case kPdlCudaFloat32:
      return function(float());
    case kPdlCudaBFloat16:
      return function(__nv_bfloat16());
    case kPdlCudaFloat16:
      return function(__half());
    default:
      return cudaErrorInvalidValue;
  }
}

bool is_matrix(const void* data, int64_t rows, int64_t columns, int64_t row_stride) {
  return rows >= 0 && columns >= 1 && row_stride >= columns && (rows == 0 || data != nullptr);
}

}  // namespace
}  // namespace pdl::cuda

using namespace pdl::cuda;

int pdl_cuda_cross_entropy_gradient(void* logits, int dtype, int64_t rows, int64_t columns,
                                    int64_t row_stride, const int64_t* targets,
                                    const float* weights, const double* weight_sum, double* row_ce,
                                    double* weighted_sum, double* ce_sum, void* stream) {
  if (!is_matrix(logits, rows, columns, row_stride) || !weight_sum ||
      (rows > 0 && (!targets || !weights || !row_ce))) {
    return cudaErrorInvalidValue;
  }
  const cudaError_t error = with_dtype(dtype, [&](auto element) {
    using T = decltype(element);
    const Matrix<T> matrix = {static_cast<T*>(logits), rows, columns, row_stride};
    return launch_cross_entropy(gradient_kernel<T, true>, gradient_kernel<T, false>, matrix, stream,
                                targets, weights, weight_sum, row_ce);
  });
  if (error != cudaSuccess) return error;
  return pdl_cuda_cross_entropy_sums(row_ce, targets, weights, rows, columns, weighted_sum, ce_sum,
                                     stream);
}

int pdl_cuda_cross_entropy_evaluation(const void* logits, int dtype, int64_t rows, int64_t columns,
                                      int64_t row_stride, const int64_t* targets,
                                      const uint8_t* bands, double* row_ce, int64_t* argmax,
                                      double* band_mass, void* stream) {
  if (!is_matrix(logits, rows, columns, row_stride) ||
      (rows > 0 && (!targets || !bands || !row_ce || !argmax || !band_mass))) {
    return cudaErrorInvalidValue;
  }
  return with_dtype(dtype, [&](auto element) {
    using T = decltype(element);
    const Matrix<const T> matrix = {static_cast<const T*>(logits), rows, columns, row_stride};
    return launch_cross_entropy(evaluation_kernel<T, true>, evaluation_kernel<T, false>, matrix,
                                stream, targets, bands, row_ce, argmax, band_mass);
  });
}

int pdl_cuda_cross_entropy_sums(const double* row_ce, const int64_t* targets, const float* weights,
                                int64_t rows, int64_t columns, double* weighted_sum, double* ce_sum,
                                void* stream) {
  if (rows < 0 || columns < 1 || !weighted_sum || !ce_sum ||
      (rows > 0 && (!row_ce || !targets || !weights))) {
    return cudaErrorInvalidValue;
  }
  return launch(sums_kernel, 1, kMaxThreads, 0, stream, row_ce, targets, weights, rows, columns,
                weighted_sum, ce_sum);
}

int pdl_cuda_scale_unless_one(void* gradient, int dtype, int64_t rows, int64_t columns,
                              int64_t row_stride, const double* scale, void* stream) {
  if (!is_matrix(gradient, rows, columns, row_stride) || !scale) return cudaErrorInvalidValue;
  return with_dtype(dtype, [&](auto element) {
    using T = decltype(element);
    const Matrix<T> matrix = {static_cast<T*>(gradient), rows, columns, row_stride};
    if (matrix.rows == 0) return cudaSuccess;
    DeviceLimits limits;
    const cudaError_t error = device_limits(limits);
    if (error != cudaSuccess) return error;
    return launch_over_rows(scale_unless_one_kernel<T>, plan_single_pass(columns, sizeof(T)),
                            limits.multiprocessors, matrix, stream, scale);
  });
}

const char* pdl_cuda_error_string(int code) {
  return cudaGetErrorString(static_cast<cudaError_t>(code));
}
