#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

float rounded(double value) { return to_float(to_bfloat16(static_cast<float>(value))); }

struct HeadShape {
  int64_t rows;
  int64_t dims;
  int64_t tokens;
  int64_t piece_tokens;
};

// Hidden rows [R, D] and a head [V, D] of bfloat16 values, so that products are exact but for their
// sums. Some rows have no target, and some a weight of 0.
struct HeadProblem {
  HeadShape shape;
  std::vector<float> hidden;
  std::vector<float> head;
  std::vector<int64_t> targets;
  std::vector<float> scales;

  explicit HeadProblem(const HeadShape& of) : shape(of) {
    std::mt19937 generator(5);
    std::normal_distribution<double> normal;
    const double size = 2 / std::sqrt(static_cast<double>(shape.dims));
    for (int64_t i = 0; i < shape.rows * shape.dims; ++i)
      hidden.push_back(rounded(normal(generator)));
    for (int64_t i = 0; i < shape.tokens * shape.dims; ++i)
      head.push_back(rounded(size * normal(generator)));
    for (int64_t i = 0; i < shape.rows; ++i) {
      targets.push_back(i % 5 == 3 ? -100 : i * 7 % shape.tokens);
      scales.push_back(i % 5 == 3 || i % 7 == 6 ? 0 : 0.01f * static_cast<float>(1 + i % 3));
    }
  }

  double logit(int64_t row, int64_t token) const {
    double sum = 0;
    for (int64_t d = 0; d < shape.dims; ++d)
      sum += static_cast<double>(hidden[static_cast<size_t>(row * shape.dims + d)]) *
             static_cast<double>(head[static_cast<size_t>(token * shape.dims + d)]);
    return sum;
  }
};

void expect_near(const std::vector<float>& values, const std::vector<double>& exact) {
  double most = 1e-30;
  for (const double value : exact) most = std::max(most, std::abs(value));
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(values[i], exact[i], 2e-3 * most) << "at " << i;
}

class LinearCrossEntropyKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  // Buffers have the size that is asked for, for sanitizers, and no number in them.
  void check(const HeadShape& shape) const {
    SCOPED_TRACE(std::to_string(shape.rows) + " x " + std::to_string(shape.dims) + " x " +
                 std::to_string(shape.tokens));
    const HeadProblem problem(shape);
    const LinearCrossEntropySizes sizes = kernels_->sizes(shape.dims);
    const int64_t at_once = std::min(shape.piece_tokens, sizes.piece_tokens);
    const auto buffer = [](int64_t size) {
      return std::vector<float>(static_cast<size_t>(size), NAN);
    };
    const int64_t blocks = (shape.rows + kHeadBlockRows - 1) / kHeadBlockRows;
    std::vector<float> packed = buffer(blocks * sizes.packed_block);
    std::vector<float> workspace = buffer(sizes.workspace);
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t first = block * kHeadBlockRows;
      kernels_->pack_hidden({problem.hidden.data() + first * shape.dims, shape.dims, 1},
                            std::min(kHeadBlockRows, shape.rows - first), shape.dims,
                            packed.data() + block * sizes.packed_block);
    }
    const PackedHidden rows{packed.data(), shape.rows, shape.dims, problem.targets.data()};
    const auto for_each_piece = [&](const auto& visit) {
      for (int64_t first = 0; first < shape.tokens; first += at_once)
        visit(HeadPiece{{problem.head.data() + first * shape.dims, shape.dims, 1},
                        first,
                        std::min(at_once, shape.tokens - first)});
    };
    const auto num_rows = static_cast<size_t>(shape.rows);
    std::vector<ExponentialSum> sums(num_rows);
    std::vector<float> target_logits(num_rows);
    for_each_piece([&](const HeadPiece& piece) {
      kernels_->sum_exponentials(rows, piece, sums.data(), target_logits.data(), workspace.data());
    });
    std::vector<double> hidden_gradient(problem.hidden.size());
    std::vector<double> head_gradient(problem.head.size());
    std::vector<RowGradient> of_rows(num_rows);
    for (size_t i = 0; i < num_rows; ++i) {
      if (problem.targets[i] < 0) continue;
      add_exact(problem, i, sums[i], target_logits[i], hidden_gradient, head_gradient);
      of_rows[i] = {sums[i].reference, static_cast<float>(problem.scales[i] / sums[i].total),
                    problem.scales[i]};
    }
    std::vector<float> of_hidden = buffer(shape.rows * shape.dims);
    std::vector<float> of_head = buffer(shape.tokens * shape.dims);
    for_each_piece([&](const HeadPiece& piece) {
      kernels_->differentiate(rows, piece, of_rows.data(), {of_hidden.data(), shape.dims},
                              /*adds_hidden=*/piece.first > 0,
                              {of_head.data() + piece.first * shape.dims, shape.dims},
                              /*adds_head=*/false, workspace.data());
    });
    expect_near(of_hidden, hidden_gradient);
    expect_near(of_head, head_gradient);
    for (size_t i = 0; i < num_rows; ++i) {
      if (problem.scales[i] != 0) continue;
      const auto begin = of_hidden.begin() + static_cast<int64_t>(i) * shape.dims;
      EXPECT_EQ(std::vector<float>(begin, begin + shape.dims),
                std::vector<float>(static_cast<size_t>(shape.dims)))
          << "row " << i;
    }
  }

  const LinearCrossEntropyKernels* kernels_ = cpu_kernels(GetParam()).bfloat16_linear_cross_entropy;

 private:
  // Checks the sums of a row, and adds what it gives to the gradients.
  static void add_exact(const HeadProblem& problem, size_t row, const ExponentialSum& sum,
                        float target_logit, std::vector<double>& hidden_gradient,
                        std::vector<double>& head_gradient) {
    const auto i = static_cast<int64_t>(row);
    const HeadShape& shape = problem.shape;
    std::vector<double> logits;
    for (int64_t token = 0; token < shape.tokens; ++token)
      logits.push_back(problem.logit(i, token));
    const double largest = *std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const double logit : logits) total += std::exp(logit - largest);
    EXPECT_NEAR(std::log(sum.total) + static_cast<double>(sum.reference), std::log(total) + largest,
                2e-6)
        << "row " << row;
    EXPECT_NEAR(target_logit, logits[static_cast<size_t>(problem.targets[row])], 2e-6);
    const auto scale = static_cast<double>(problem.scales[row]);
    for (int64_t token = 0; token < shape.tokens; ++token) {
      const double p = std::exp(logits[static_cast<size_t>(token)] - largest) / total;
      const double is_target = token == problem.targets[row] ? 1 : 0;
      const auto gradient = static_cast<double>(rounded(scale * (p - is_target)));
      for (int64_t d = 0; d < shape.dims; ++d) {
        const auto h = static_cast<size_t>(i * shape.dims + d);
        const auto w = static_cast<size_t>(token * shape.dims + d);
        hidden_gradient[h] += gradient * static_cast<double>(problem.head[w]);
        head_gradient[w] += gradient * static_cast<double>(problem.hidden[h]);
      }
    }
  }
};

PDL_FOR_EACH_INSTRUCTION_SET(LinearCrossEntropyKernelsTest);

TEST_P(LinearCrossEntropyKernelsTest, AreTheDefinitionForRowsAndTokensThatFillNoTile) {
  if (kernels_ == nullptr) GTEST_SKIP() << "this set has no products of pairs";
  for (const int64_t rows : {1, 31, 33, 70}) {
    for (const int64_t dims : {1, 33}) {
      for (const int64_t tokens : {1, 17, 32, 100}) check({rows, dims, tokens, 64});
    }
  }
  check({259, 20, 70, 480});  // rows in two blocks
}

}  // namespace
}  // namespace pdl
