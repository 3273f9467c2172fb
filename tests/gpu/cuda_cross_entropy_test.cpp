// Tests the C interface of the CUDA kernels: on a device with the cases of the emulation, without
// one the error.
#include "pdl/kernels/cuda_cross_entropy.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cuda_cross_entropy_cases.h"

namespace pdl::cuda_cases {
namespace {

bool has_device() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

void require(int code) {
  if (code != 0) throw std::runtime_error(pdl_cuda_error_string(code));
}

// Memory of the device, filled with bytes of 0xff, so that it is NaN where it is not written.
class Buffer {
 public:
  explicit Buffer(size_t bytes) {
    require(cudaMalloc(&data_, bytes));
    require(cudaMemset(data_, 0xff, bytes));
  }
  template <class V>
  explicit Buffer(const std::vector<V>& values) : Buffer(values.size() * sizeof(V)) {
    require(cudaMemcpy(data_, values.data(), values.size() * sizeof(V), cudaMemcpyHostToDevice));
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { cudaFree(data_); }

  template <class V>
  V* as() const {
    return static_cast<V*>(data_);
  }

  template <class V>
  std::vector<V> read(size_t count) const {
    std::vector<V> values(count);
    require(cudaMemcpy(values.data(), data_, count * sizeof(V), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  void* data_ = nullptr;
};

// The strided matrix of a problem.
class MatrixBuffer {
 public:
  explicit MatrixBuffer(const Problem& problem)
      : problem_(problem),
        buffer_(static_cast<size_t>(problem.buffer_elements() * problem.format.bytes)) {
    for (int64_t i = 0; i < problem.rows; ++i) {
      const RowBytes row = row_bytes(problem, i);
      require(cudaMemcpy(buffer_.as<unsigned char>() + row.begin, row.bytes.data(),
                         row.bytes.size(), cudaMemcpyHostToDevice));
    }
  }

  void* data() const {
    return buffer_.as<unsigned char>() + problem_.offset * problem_.format.bytes;
  }

  std::vector<double> read() const {
    std::vector<double> values;
    for (int64_t i = 0; i < problem_.rows; ++i) {
      RowBytes row = row_bytes(problem_, i);
      require(cudaMemcpy(row.bytes.data(), buffer_.as<unsigned char>() + row.begin,
                         row.bytes.size(), cudaMemcpyDeviceToHost));
      read_row(problem_, row, values);
    }
    return values;
  }

 private:
  const Problem& problem_;
  Buffer buffer_;
};

class DeviceDriver : public Driver {
 public:
  GradientResult gradient(const Problem& problem) override {
    const MatrixBuffer logits(problem);
    const Buffer targets(problem.targets);
    const Buffer weights(problem.weights);
    const Buffer weight_sum(std::vector<double>{problem.weight_sum});
    const size_t rows = problem.targets.size();
    const Buffer row_ce(rows * sizeof(double));
    const Buffer sums(2 * sizeof(double));
    require(pdl_cuda_cross_entropy_gradient(
        logits.data(), problem.format.dtype, problem.rows, problem.columns, problem.row_stride,
        targets.as<int64_t>(), weights.as<float>(), weight_sum.as<double>(), row_ce.as<double>(),
        sums.as<double>(), sums.as<double>() + 1, nullptr));
    require(cudaDeviceSynchronize());
    GradientResult result;
    result.gradient = logits.read();
    result.row_ce = row_ce.read<double>(rows);
    result.weighted_sum = sums.read<double>(2)[0];
    result.ce_sum = sums.read<double>(2)[1];
    return result;
  }

  EvaluationResult evaluate(const Problem& problem) override {
    const MatrixBuffer logits(problem);
    const Buffer targets(problem.targets);
    const Buffer weights(problem.weights);
    const Buffer bands(problem.bands);
    const size_t rows = problem.targets.size();
    const Buffer row_ce(rows * sizeof(double));
    const Buffer argmax(rows * sizeof(int64_t));
    const Buffer band_mass(rows * kPdlCudaBands * sizeof(double));
    const Buffer sums(2 * sizeof(double));
    require(pdl_cuda_cross_entropy_evaluation(
        logits.data(), problem.format.dtype, problem.rows, problem.columns, problem.row_stride,
        targets.as<int64_t>(), bands.as<uint8_t>(), row_ce.as<double>(), argmax.as<int64_t>(),
        band_mass.as<double>(), nullptr));
    require(pdl_cuda_cross_entropy_sums(row_ce.as<double>(), targets.as<int64_t>(),
                                        weights.as<float>(), problem.rows, problem.columns,
                                        sums.as<double>(), sums.as<double>() + 1, nullptr));
    require(cudaDeviceSynchronize());
    EXPECT_EQ(bits_of(logits.read()), bits_of(problem.logits));
    EvaluationResult result;
    result.row_ce = row_ce.read<double>(rows);
    result.argmax = argmax.read<int64_t>(rows);
    result.band_mass = band_mass.read<double>(rows * kPdlCudaBands);
    result.weighted_sum = sums.read<double>(2)[0];
    result.ce_sum = sums.read<double>(2)[1];
    return result;
  }

  std::vector<double> scaled(const Problem& problem, double scale) override {
    const MatrixBuffer gradient(problem);
    const Buffer factor(std::vector<double>{scale});
    require(pdl_cuda_scale_unless_one(gradient.data(), problem.format.dtype, problem.rows,
                                      problem.columns, problem.row_stride, factor.as<double>(),
                                      nullptr));
    require(cudaDeviceSynchronize());
    return gradient.read();
  }

  bool can_hold(int64_t bytes) override {
    size_t free = 0;
    size_t total = 0;
    require(cudaMemGetInfo(&free, &total));
    return free > static_cast<size_t>(bytes) + (size_t{1} << 28);
  }

  int64_t many_rows() const override { return 5000; }
};

INSTANTIATE_TEST_SUITE_P(Device, CudaCrossEntropyTest,
                         testing::Values(DriverParameter{"Current",
                                                         []() -> std::unique_ptr<Driver> {
                                                           if (!has_device()) return nullptr;
                                                           return std::make_unique<DeviceDriver>();
                                                         }}),
                         [](const auto& test) { return test.param.name; });

// Calls that are valid except that no device memory can be read.
TEST(CudaInterfaceTest, ReportsAMissingDevice) {
  if (has_device()) GTEST_SKIP() << "there is a CUDA device";
  double number = 1;
  float weight = 1;
  int64_t index = 0;
  uint8_t band = 0;
  const int codes[] = {
      pdl_cuda_cross_entropy_gradient(&number, kPdlCudaFloat32, 1, 1, 1, &index, &weight, &number,
                                      &number, &number, &number, nullptr),
      pdl_cuda_cross_entropy_evaluation(&number, kPdlCudaBFloat16, 1, 1, 1, &index, &band, &number,
                                        &index, &number, nullptr),
      pdl_cuda_cross_entropy_sums(&number, &index, &weight, 1, 1, &number, &number, nullptr),
      pdl_cuda_scale_unless_one(&number, kPdlCudaFloat16, 1, 1, 1, &number, nullptr)};
  for (const int code : codes) {
    EXPECT_TRUE(code == cudaErrorInsufficientDriver || code == cudaErrorNoDevice)
        << code << ": " << pdl_cuda_error_string(code);
  }
}

TEST(CudaInterfaceTest, RefusesInvalidArguments) {
  double number = 1;
  const auto scale = [&](void* gradient, int dtype, int64_t rows, int64_t columns, int64_t stride) {
    return pdl_cuda_scale_unless_one(gradient, dtype, rows, columns, stride, &number, nullptr);
  };
  EXPECT_EQ(scale(&number, 3, 1, 1, 1), cudaErrorInvalidValue);
  EXPECT_EQ(scale(&number, kPdlCudaFloat32, -1, 1, 1), cudaErrorInvalidValue);
  EXPECT_EQ(scale(&number, kPdlCudaFloat32, 1, 0, 1), cudaErrorInvalidValue);
  EXPECT_EQ(scale(&number, kPdlCudaFloat32, 1, 2, 1), cudaErrorInvalidValue);
  EXPECT_EQ(scale(nullptr, kPdlCudaFloat32, 1, 1, 1), cudaErrorInvalidValue);
  EXPECT_STREQ(pdl_cuda_error_string(cudaErrorInvalidValue), "invalid argument");
}

// No rows: the sums are 0, and nothing else is touched.
TEST(CudaInterfaceTest, TakesNoRows) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device";
  const Buffer sums(3 * sizeof(double));
  auto* const numbers = sums.as<double>();
  require(pdl_cuda_cross_entropy_gradient(nullptr, kPdlCudaFloat32, 0, 5, 5, nullptr, nullptr,
                                          numbers + 2, nullptr, numbers, numbers + 1, nullptr));
  require(pdl_cuda_cross_entropy_evaluation(nullptr, kPdlCudaFloat32, 0, 5, 5, nullptr, nullptr,
                                            nullptr, nullptr, nullptr, nullptr));
  EXPECT_EQ(sums.read<double>(2), std::vector<double>(2, 0.0));
}

}  // namespace
}  // namespace pdl::cuda_cases
