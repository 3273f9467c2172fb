#include "pdl/ops/cached_attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/any_threads.h"

namespace pdl {
namespace {

struct AttentionCase {
  int64_t heads;
  int64_t kv_heads;
  int64_t dims;
  int64_t window;
  double softcap;
};

class CachedAttentionTest : public testing::TestWithParam<AttentionCase> {
 protected:
  void SetUp() override {
    at::manual_seed(1);
    const auto [heads, kv_heads, dims, window, softcap] = GetParam();
    options_ = {.scale = 0.3, .softcap = softcap};
    q_ = at::randn({3, heads, dims}, at::kDouble);
    k_ = at::randn({3, 50, kv_heads, dims}, at::kDouble);
    v_ = at::randn({3, 50, kv_heads, dims}, at::kDouble);
  }

  // What lies past a sequence's tokens is no number for the kernels.
  at::Tensor attend(at::ScalarType dtype) const {
    for (int64_t i = 0; i < 3; ++i) {
      const int64_t length = lengths_[static_cast<size_t>(i)];
      const double rest = dtype == at::kFloat ? NAN : 0;
      k_[i].narrow(0, length, 50 - length).fill_(rest);
      v_[i].narrow(0, length, 50 - length).fill_(rest);
    }
    return cached_attention(q_.to(dtype), k_.to(dtype), v_.to(dtype), lengths_, GetParam().window,
                            options_);
  }

  AttentionOptions options_;
  at::Tensor q_, k_, v_;
  std::vector<int64_t> lengths_ = {1, 50, 23};
};

// In float64 it runs ATen's operators, in float32 the kernels.
TEST_P(CachedAttentionTest, IsThatOfTheLastPosition) {
  const at::NoGradGuard no_grad;
  const at::Tensor exact = attend(at::kDouble);
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t length = lengths_[static_cast<size_t>(i)];
    const at::Tensor queries =
        q_.narrow(0, i, 1).unsqueeze(1).expand({1, length, q_.size(1), q_.size(2)}).contiguous();
    Attention attention;
    const at::Tensor all = attention.forward(
        queries, k_.narrow(0, i, 1).narrow(1, 0, length), v_.narrow(0, i, 1).narrow(1, 0, length),
        seen_keys(length, GetParam().window, {}, at::kCPU), options_);
    EXPECT_TRUE(at::allclose(exact[i], all[0][length - 1], 1e-12, 1e-12)) << "sequence " << i;
  }
  EXPECT_TRUE(at::allclose(attend(at::kFloat).to(at::kDouble), exact, 1e-5, 1e-6));
}

TEST_P(CachedAttentionTest, ThreadsChangeNoBit) {
  expect_same_bits_with_any_threads([&] { return attend(at::kFloat); });
}

INSTANTIATE_TEST_SUITE_P(All, CachedAttentionTest,
                         testing::Values(AttentionCase{4, 4, 8, 0, 0},
                                         AttentionCase{6, 2, 17, 0, 0},
                                         AttentionCase{8, 1, 64, 5, 0},
                                         AttentionCase{3, 3, 5, 1, 0},
                                         AttentionCase{4, 2, 16, 30, 2.5}));

}  // namespace
}  // namespace pdl
