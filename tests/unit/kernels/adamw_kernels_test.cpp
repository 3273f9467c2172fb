#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

class AdamWKernelTest : public testing::TestWithParam<InstructionSet> {};

struct Tensors {
  explicit Tensors(size_t size) : gradients(size), values(size), first(size), second(size) {
    std::mt19937 random(static_cast<unsigned>(size));
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < size; ++i) {
      // Over many orders of magnitude, and zero at times.
      gradients[i] =
          i % 7 == 0 ? 0 : normal(random) * std::pow(10.F, static_cast<float>(i % 9) - 6);
      values[i] = normal(random);
      first[i] = normal(random) * 1e-3F;
      second[i] = std::abs(normal(random)) * 1e-5F;
    }
  }
  std::vector<float> gradients, values, first, second;
};

// Loshchilov and Hutter's algorithm 2, in float64.
TEST_P(AdamWKernelTest, IsTheAlgorithm) {
  const double rate = 3e-3;
  const double decay = 0.1;
  for (const size_t size : {1U, 5U, 16U, 33U, 1000U}) {
    for (const int step : {1, 2, 1000}) {
      const Tensors before(size);
      Tensors after = before;
      const AdamWUpdate update{
          .divisor = 1.7F,
          .first_share = 0.1F,
          .second_decay = 0.999F,
          .second_share = 0.001F,
          .root_divisor = static_cast<float>(std::sqrt(1 - std::pow(0.999, step))),
          .epsilon = 1e-8F,
          .decay = static_cast<float>(rate * decay),
          .step_size = static_cast<float>(rate / (1 - std::pow(0.9, step)))};
      cpu_kernels(GetParam())
          .adamw(update, after.gradients.data(), after.values.data(), after.first.data(),
                 after.second.data(), static_cast<int64_t>(size));
      EXPECT_EQ(after.gradients, before.gradients);
      for (size_t i = 0; i < size; ++i) {
        const double gradient = before.gradients[i] / 1.7;
        const double first = 0.9 * before.first[i] + 0.1 * gradient;
        const double second = 0.999 * before.second[i] + 0.001 * gradient * gradient;
        const double root = std::sqrt(second / (1 - std::pow(0.999, step)));
        const double change =
            rate * (first / (1 - std::pow(0.9, step)) / (root + 1e-8) + decay * before.values[i]);
        EXPECT_NEAR(after.first[i], first, 4e-7 * (std::abs(first) + std::abs(gradient)));
        EXPECT_NEAR(after.second[i], second, 4e-7 * second);
        EXPECT_NEAR(after.values[i], before.values[i] - change,
                    2e-7 * std::abs(before.values[i]) + 2e-6 * std::abs(change));
      }
    }
  }
}

TEST_P(AdamWKernelTest, APartHasTheBitsThatItHasInTheWhole) {
  const AdamWUpdate update{.first_share = 0.1F,
                           .second_decay = 0.999F,
                           .second_share = 0.001F,
                           .root_divisor = 0.5F,
                           .epsilon = 1e-8F,
                           .decay = 1e-4F,
                           .step_size = 1e-3F};
  const auto adamw = cpu_kernels(GetParam()).adamw;
  Tensors whole(300);
  Tensors parts = whole;
  adamw(update, whole.gradients.data(), whole.values.data(), whole.first.data(),
        whole.second.data(), 300);
  for (const auto& [begin, size] :
       {std::pair<size_t, int64_t>{0, 7}, {7, 100}, {107, 1}, {108, 192}}) {
    adamw(update, parts.gradients.data() + begin, parts.values.data() + begin,
          parts.first.data() + begin, parts.second.data() + begin, size);
  }
  EXPECT_EQ(parts.values, whole.values);
  EXPECT_EQ(parts.first, whole.first);
  EXPECT_EQ(parts.second, whole.second);
}

PDL_FOR_EACH_INSTRUCTION_SET(AdamWKernelTest);

}  // namespace
}  // namespace pdl
