// Runs the kernels themselves in the emulation of tests/support/cuda_emulation.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cuda/cross_entropy.cuh"
#include "kernels/cuda/launch_plan.h"
#include "support/cuda_cross_entropy_cases.h"

namespace pdl::cuda_cases {
namespace {

using cuda::Matrix;
using cuda::emulation::Order;

// Memory that exists only where it is touched.
class SparseBuffer {
 public:
  explicit SparseBuffer(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  SparseBuffer(const SparseBuffer&) = delete;
  SparseBuffer& operator=(const SparseBuffer&) = delete;
  ~SparseBuffer() {
    if (ok()) munmap(data_, bytes_);
  }
  bool ok() const { return data_ != MAP_FAILED; }
  unsigned char* data() const { return static_cast<unsigned char*>(data_); }

 private:
  size_t bytes_;
  void* data_;
};

class EmulatedDriver : public Driver {
 public:
  EmulatedDriver(bool row_on_chip, int blocks, int threads, Order order)
      : row_on_chip_(row_on_chip), blocks_(blocks), threads_(threads), order_(order) {}

  GradientResult gradient(const Problem& problem) override {
    GradientResult result;
    result.row_ce.resize(problem.targets.size(), kNan);
    result.gradient = on_matrix(problem, [&](auto matrix) {
      using T = std::remove_pointer_t<decltype(matrix.data)>;
      const auto kernel =
          row_on_chip_ ? cuda::gradient_kernel<T, true> : cuda::gradient_kernel<T, false>;
      launch_cross_entropy(problem, [&] {
        kernel(matrix, problem.targets.data(), problem.weights.data(), &problem.weight_sum,
               result.row_ce.data());
      });
    });
    add_up(problem, result);
    return result;
  }

  EvaluationResult evaluate(const Problem& problem) override {
    EvaluationResult result;
    result.row_ce.resize(problem.targets.size(), kNan);
    result.argmax.resize(problem.targets.size(), -7);
    result.band_mass.resize(problem.targets.size() * kPdlCudaBands, kNan);
    const std::vector<double> logits = on_matrix(problem, [&](auto matrix) {
      using T = std::remove_pointer_t<decltype(matrix.data)>;
      const auto kernel =
          row_on_chip_ ? cuda::evaluation_kernel<T, true> : cuda::evaluation_kernel<T, false>;
      const Matrix<const T> read_only = {matrix.data, matrix.rows, matrix.columns,
                                         matrix.row_stride};
      launch_cross_entropy(problem, [&] {
        kernel(read_only, problem.targets.data(), problem.bands.data(), result.row_ce.data(),
               result.argmax.data(), result.band_mass.data());
      });
    });
    EXPECT_EQ(bits_of(logits), bits_of(problem.logits));
    add_up(problem, result);
    return result;
  }

  std::vector<double> scaled(const Problem& problem, double scale) override {
    return on_matrix(problem, [&](auto matrix) {
      using T = std::remove_pointer_t<decltype(matrix.data)>;
      cuda::emulation::launch(blocks_, threads_, 0, order_,
                              [&] { cuda::scale_unless_one_kernel<T>(matrix, &scale); });
    });
  }

  bool can_hold(int64_t bytes) override { return SparseBuffer(bytes).ok(); }

  int64_t many_rows() const override { return threads_ + 11; }

 private:
  void launch_cross_entropy(const Problem& problem, const std::function<void()>& kernel) {
    const int64_t shared_bytes =
        row_on_chip_ ? cuda::shared_row_bytes(problem.columns, problem.format.bytes) : 0;
    cuda::emulation::launch(blocks_, threads_, shared_bytes, order_, kernel);
  }

  template <class Result>
  void add_up(const Problem& problem, Result& result) {
    cuda::emulation::launch(1, threads_, 0, order_, [&] {
      cuda::sums_kernel(result.row_ce.data(), problem.targets.data(), problem.weights.data(),
                        problem.rows, problem.columns, &result.weighted_sum, &result.ce_sum);
    });
  }

  // Returns the problem's matrix after run(matrix).
  template <class Run>
  static std::vector<double> on_matrix(const Problem& problem, Run run) {
    switch (problem.format.dtype) {
      case kPdlCudaFloat32:
        return on_matrix_of<float>(problem, run);
      case kPdlCudaBFloat16:
        return on_matrix_of<__nv_bfloat16>(problem, run);
      default:
        return on_matrix_of<__half>(problem, run);
    }
  }

  template <class T, class Run>
  static std::vector<double> on_matrix_of(const Problem& problem, Run run) {
    const SparseBuffer buffer(problem.buffer_elements() * problem.format.bytes);
    for (int64_t i = 0; i < problem.rows; ++i) {
      const RowBytes row = row_bytes(problem, i);
      std::memcpy(buffer.data() + row.begin, row.bytes.data(), row.bytes.size());
    }
    run(Matrix<T>{reinterpret_cast<T*>(buffer.data()) + problem.offset, problem.rows,
                  problem.columns, problem.row_stride});
    std::vector<double> values;
    for (int64_t i = 0; i < problem.rows; ++i) {
      RowBytes row = row_bytes(problem, i);
      std::memcpy(row.bytes.data(), buffer.data() + row.begin, row.bytes.size());
      read_row(problem, row, values);
    }
    return values;
  }

  bool row_on_chip_;
  int blocks_;
  int threads_;
  Order order_;
};

DriverParameter driver(const std::string& name, bool row_on_chip, int blocks, int threads,
                       Order order) {
  return {name,
          [=] { return std::make_unique<EmulatedDriver>(row_on_chip, blocks, threads, order); }};
}

INSTANTIATE_TEST_SUITE_P(Emulated, CudaCrossEntropyTest,
                         testing::Values(driver("RowOnChip", true, 2, 64, Order::kForward),
                                         driver("RowOnChipReverse", true, 1, 96, Order::kReverse),
                                         driver("RowReadAgain", false, 3, 64, Order::kForward),
                                         driver("RowReadAgainReverse", false, 1, 128,
                                                Order::kReverse)),
                         [](const auto& test) { return test.param.name; });

TEST(CudaLaunchPlanTest, KeepsTheRowOnChipWhereItFits) {
  constexpr int64_t kLimit = 227 * 1024;  // of sm_90
  EXPECT_EQ(cuda::plan_cross_entropy(57000, 4, kLimit).passes, 1);
  EXPECT_EQ(cuda::plan_cross_entropy(58200, 4, kLimit).passes, 2);
  EXPECT_EQ(cuda::plan_cross_entropy(114000, 2, kLimit).passes, 1);
  EXPECT_EQ(cuda::plan_cross_entropy(128256, 2, kLimit).passes, 2);
  EXPECT_EQ(cuda::plan_cross_entropy(128256, 2, kLimit).shared_bytes, 0);
  for (int64_t columns = 1; columns < 130000; columns += 997) {
    for (const int64_t size : {2, 4}) {
      const cuda::LaunchPlan plan = cuda::plan_cross_entropy(columns, size, kLimit);
      EXPECT_EQ(plan.threads % cuda::kWarpSize, 0);
      EXPECT_GE(plan.threads, cuda::kMinThreads);
      EXPECT_LE(plan.threads, cuda::kMaxThreads);
      EXPECT_LE(plan.shared_bytes + cuda::kStaticSharedBytes, kLimit);
      EXPECT_GE(plan.shared_bytes, plan.passes == 1 ? columns * size : 0);
    }
  }
}

TEST(CudaLaunchPlanTest, UsesMoreThreadsForLongerRows) {
  constexpr int64_t kLimit = 227 * 1024;
  EXPECT_EQ(cuda::plan_cross_entropy(1, 4, kLimit).threads, 128);
  EXPECT_EQ(cuda::plan_cross_entropy(32000, 2, kLimit).threads, 512);   // two rows at once
  EXPECT_EQ(cuda::plan_cross_entropy(32000, 4, kLimit).threads, 1024);  // one
  EXPECT_EQ(cuda::plan_cross_entropy(128256, 2, kLimit).threads, 1024);
}

TEST(CudaLaunchPlanTest, GridIsWhatRunsAtOnce) {
  EXPECT_EQ(cuda::plan_grid(8192, 132, 3, 1), 396);
  EXPECT_EQ(cuda::plan_grid(8192, 132, 3, 2), 132);
  EXPECT_EQ(cuda::plan_grid(7, 132, 3, 1), 7);
  EXPECT_EQ(cuda::plan_grid(int64_t{1} << 40, 132, 1, 1), 132);
}

TEST(CudaRowLayoutTest, CoversTheRowWithAlignedVectors) {
  alignas(16) static uint16_t row[64];
  for (int64_t start = 0; start < 16; ++start) {
    for (int64_t columns = 1; columns <= 48; ++columns) {
      const cuda::RowLayout layout = cuda::row_layout(row + start, columns);
      EXPECT_LT(layout.head, 8);
      EXPECT_EQ(layout.head + layout.vectors * 8, layout.tail);
      EXPECT_GE(columns - layout.tail, 0);
      EXPECT_LT(columns - layout.tail, 8);
      EXPECT_TRUE(layout.vectors == 0 || (start + layout.head) % 8 == 0);
    }
  }
}

}  // namespace
}  // namespace pdl::cuda_cases
