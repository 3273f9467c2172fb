#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

class GroupSumsKernelsTest : public testing::TestWithParam<InstructionSet> {};

PDL_FOR_EACH_INSTRUCTION_SET(GroupSumsKernelsTest);

// Logits of tokens in random order, in groups of one token, of two, of four, and so on.
struct Problem {
  explicit Problem(int64_t vocab_size) : tokens(static_cast<size_t>(vocab_size)) {
    std::mt19937 generator(static_cast<unsigned>(vocab_size));
    std::normal_distribution<float> distribution(0, 8);
    for (int64_t i = 0; i < vocab_size; ++i) logits.push_back(distribution(generator));
    std::iota(tokens.begin(), tokens.end(), 0);
    std::ranges::shuffle(tokens, generator);
    for (int64_t size = 1, end = 0; end < vocab_size; size *= 2) {
      end = std::min(end + size, vocab_size);
      ends.push_back(end);
    }
  }
  TokenGroups groups() const { return {tokens.data(), ends.data(), std::ssize(ends)}; }
  double exact(size_t group) const {
    const float largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (int64_t i = group == 0 ? 0 : ends[group - 1]; i < ends[group]; ++i) {
      const auto token = static_cast<size_t>(tokens[static_cast<size_t>(i)]);
      sum += std::exp(static_cast<double>(logits[token]) - static_cast<double>(largest));
    }
    return sum;
  }

  std::vector<float> logits;
  std::vector<int32_t> tokens;
  std::vector<int64_t> ends;
};

TEST_P(GroupSumsKernelsTest, AreThoseOfFloat64) {
  const auto& kernels = cpu_kernels(GetParam());
  for (const int64_t vocab_size : {1, 2, 3, 7, 8, 9, 511, 512, 513, 1023, 5000}) {
    Problem problem(vocab_size);
    std::vector<Bfloat16> halves;
    for (float& logit : problem.logits) {
      halves.push_back(to_bfloat16(logit));
      logit = to_float(halves.back());
    }
    const size_t num_groups = problem.ends.size();
    std::vector<double> of_floats(num_groups + 1, 7);
    std::vector<double> of_halves(num_groups + 1, 7);
    const int64_t argmax = std::ranges::max_element(problem.logits) - problem.logits.begin();
    kernels.float_rows.group_sums(problem.logits.data(), vocab_size, problem.groups(), argmax,
                                  of_floats.data());
    kernels.bfloat16_rows.group_sums(halves.data(), vocab_size, problem.groups(), argmax,
                                     of_halves.data());
    EXPECT_EQ(of_floats, of_halves);
    EXPECT_EQ(of_floats[num_groups], 7);
    for (size_t group = 0; group < num_groups; ++group)
      EXPECT_NEAR(of_floats[group] / problem.exact(group), 1, 1e-11) << vocab_size << " " << group;
  }
}

// Every distance from the largest logit to where an exponential is 0, in steps that fall on all
// parts of the polynomial.
TEST_P(GroupSumsKernelsTest, HaveSmallErrorsAtAllDistances) {
  const auto group_sums = cpu_kernels(GetParam()).float_rows.group_sums;
  const std::vector<int32_t> tokens = {0, 1};
  const std::vector<int64_t> ends = {1, 2};
  std::vector<double> sums(2);
  for (float distance = 0; distance < 707; distance += 0.0097F) {
    const std::vector<float> logits = {3, 3 - distance};
    group_sums(logits.data(), 2, {tokens.data(), ends.data(), 2}, 0, sums.data());
    ASSERT_EQ(sums[0], 1);
    const double exact = std::exp(static_cast<double>(logits[1]) - 3);
    ASSERT_NEAR(sums[1] / exact, 1, 4e-12) << distance;
  }
}

TEST_P(GroupSumsKernelsTest, TakeNoProbabilityAndNaN) {
  const auto group_sums = cpu_kernels(GetParam()).float_rows.group_sums;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<int32_t> tokens = {0, 1, 2, 3};
  const std::vector<int64_t> ends = {2, 4};
  std::vector<double> sums(2);
  const auto sum = [&](const std::vector<float>& logits) {
    group_sums(logits.data(), 4, {tokens.data(), ends.data(), 2}, /*argmax=*/1, sums.data());
  };
  sum({-kInfinity, 1, -kInfinity, -1000});
  EXPECT_EQ(sums, (std::vector<double>{1, 0}));
  sum({NAN, 1, 1, 1});
  EXPECT_TRUE(std::isnan(sums[0]));
  EXPECT_EQ(sums[1], 2);
}

}  // namespace
}  // namespace pdl
