#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

constexpr float kUntouched = 12345;
constexpr int64_t kGap = 3;  // between the rows of a matrix

struct Case {
  int64_t length;
  int64_t dims;
  int64_t window;  // a query sees so many keys at most; 0: all
  int64_t second;  // the first position of a second document; 0: none
  float softcap;
  bool drops = false;
};

// Rows with gaps between them.
struct Rows {
  int64_t dims;
  std::vector<float> values;

  Rows(int64_t length, int64_t width)
      : dims(width), values(static_cast<size_t>(length * (width + kGap)), kUntouched) {}
  int64_t stride() const { return dims + kGap; }
  float& at(int64_t row, int64_t column) {
    return values[static_cast<size_t>(row * stride() + column)];
  }
  MatrixRows view() { return {values.data(), stride()}; }
};

Rows random_rows(int64_t length, int64_t dims, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  Rows rows(length, dims);
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t d = 0; d < dims; ++d) rows.at(t, d) = distribution(generator);
  }
  return rows;
}

// Output and gradients in float64, by the formula.
struct Expected {
  std::vector<double> out, q, k, v, log_sums;
};

class Reference {
 public:
  Reference(const Case& shape, Rows& q, Rows& k, Rows& v, Rows& gradient,
            const std::vector<int32_t>& first_key, const std::vector<float>& kept, float scale)
      : case_(shape),
        q_(q),
        k_(k),
        v_(v),
        gradient_(gradient),
        first_key_(first_key),
        kept_(kept),
        scale_(static_cast<double>(scale)) {}

  Expected compute() {
    const auto size = static_cast<size_t>(case_.length * case_.dims);
    for (auto* values : {&result_.out, &result_.q, &result_.k, &result_.v})
      values->assign(size, 0.0);
    for (int64_t t = 0; t < case_.length; ++t) add_query(t);
    return result_;
  }

 private:
  double dot(Rows& a, int64_t i, Rows& b, int64_t j) const {
    double sum = 0;
    for (int64_t d = 0; d < case_.dims; ++d)
      sum += static_cast<double>(a.at(i, d)) * static_cast<double>(b.at(j, d));
    return sum;
  }
  size_t index(int64_t t, int64_t d) const { return static_cast<size_t>(t * case_.dims + d); }

  double kept(int64_t t, int64_t s) const {
    return kept_.empty() ? 1
                         : static_cast<double>(kept_[static_cast<size_t>(t * case_.length + s)]);
  }

  void add_query(int64_t t) {
    const int64_t first = first_key_[static_cast<size_t>(t)];
    const auto cap = static_cast<double>(case_.softcap);
    std::vector<double> scores, probabilities, gradients;
    double sum = 0;
    for (int64_t s = first; s <= t; ++s) {
      const double product = scale_ * dot(q_, t, k_, s);
      scores.push_back(cap > 0 ? cap * std::tanh(product / cap) : product);
      sum += std::exp(scores.back());
    }
    double mean = 0;
    for (int64_t s = first; s <= t; ++s) {
      probabilities.push_back(std::exp(scores[static_cast<size_t>(s - first)]) / sum);
      gradients.push_back(kept(t, s) * dot(gradient_, t, v_, s));
      mean += probabilities.back() * gradients.back();
    }
    result_.log_sums.push_back(std::log(sum));
    for (int64_t s = first; s <= t; ++s) {
      const auto i = static_cast<size_t>(s - first);
      const double slope = cap > 0 ? 1 - scores[i] * scores[i] / (cap * cap) : 1;
      const double score_gradient = probabilities[i] * (gradients[i] - mean) * slope * scale_;
      for (int64_t d = 0; d < case_.dims; ++d) {
        result_.out[index(t, d)] +=
            kept(t, s) * probabilities[i] * static_cast<double>(v_.at(s, d));
        result_.q[index(t, d)] += score_gradient * static_cast<double>(k_.at(s, d));
        result_.k[index(s, d)] += score_gradient * static_cast<double>(q_.at(t, d));
        result_.v[index(s, d)] +=
            kept(t, s) * probabilities[i] * static_cast<double>(gradient_.at(t, d));
      }
    }
  }

  Case case_;
  Rows &q_, &k_, &v_, &gradient_;
  const std::vector<int32_t>& first_key_;
  const std::vector<float>& kept_;  // [T, T], or empty
  double scale_;
  Expected result_;
};

void expect_rows(Rows& actual, const std::vector<double>& expected, int64_t length,
                 const std::string& what) {
  double largest = 1;  // gradients that are zero by the formula have the rounding of their terms
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t d = 0; d < actual.dims; ++d) {
      ASSERT_NEAR(actual.at(t, d), expected[static_cast<size_t>(t * actual.dims + d)],
                  3e-6 * largest)
          << what << " at position " << t << ", " << d;
    }
    for (int64_t i = 0; i < kGap; ++i)
      ASSERT_EQ(actual.at(t, actual.dims + i), kUntouched) << what << " beside position " << t;
  }
}

class AttentionKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  void check(const Case& shape, unsigned seed) const {
    SCOPED_TRACE("length " + std::to_string(shape.length) + ", dims " + std::to_string(shape.dims) +
                 ", window " + std::to_string(shape.window) + ", second document at " +
                 std::to_string(shape.second) + ", softcap " + std::to_string(shape.softcap));
    const int64_t length = shape.length;
    Rows q = random_rows(length, shape.dims, 4 * seed);
    Rows k = random_rows(length, shape.dims, 4 * seed + 1);
    Rows v = random_rows(length, shape.dims, 4 * seed + 2);
    Rows gradient = random_rows(length, shape.dims, 4 * seed + 3);
    std::vector<int32_t> first_key;
    for (int64_t t = 0; t < length; ++t) {
      const int64_t in_window = shape.window > 0 ? std::max<int64_t>(0, t - shape.window + 1) : 0;
      const int64_t in_document = shape.second > 0 && t >= shape.second ? shape.second : 0;
      first_key.push_back(static_cast<int32_t>(std::max(in_window, in_document)));
    }
    const float scale = 1 / std::sqrt(static_cast<float>(shape.dims));
    std::vector<float> kept;
    if (shape.drops) {
      std::mt19937 generator(seed);
      for (int64_t i = 0; i < length * length; ++i)
        kept.push_back(generator() % 4 == 0 ? 0.f : 4.f / 3);
    }
    const AttentionHead head{.length = length,
                             .dims = shape.dims,
                             .q = q.values.data(),
                             .k = k.values.data(),
                             .v = v.values.data(),
                             .q_stride = q.stride(),
                             .k_stride = k.stride(),
                             .v_stride = v.stride(),
                             .first_key = first_key.data(),
                             .scale = scale,
                             .softcap = shape.softcap,
                             .kept = shape.drops ? kept.data() : nullptr};
    // What a kernel finds in its workspace does not matter.
    std::vector<float> workspace(static_cast<size_t>(kernels_.workspace(length, shape.dims)), NAN);
    std::vector<float> log_sums(static_cast<size_t>(length), NAN);
    Rows out(length, shape.dims);
    kernels_.forward(head, out.view(), log_sums.data(), workspace.data());
    Rows to_q(length, shape.dims), to_k(length, shape.dims), to_v(length, shape.dims);
    std::fill(workspace.begin(), workspace.end(), NAN);
    kernels_.backward(head, out.view(), gradient.view(), log_sums.data(),
                      {to_q.view(), to_k.view(), to_v.view()}, workspace.data());

    const Expected expected = Reference(shape, q, k, v, gradient, first_key, kept, scale).compute();
    expect_rows(out, expected.out, length, "output");
    expect_rows(to_q, expected.q, length, "gradient of q");
    expect_rows(to_k, expected.k, length, "gradient of k");
    expect_rows(to_v, expected.v, length, "gradient of v");
    for (int64_t t = 0; t < length; ++t) {
      const auto i = static_cast<size_t>(t);
      EXPECT_NEAR(log_sums[i], expected.log_sums[i], 2e-6 * (1 + std::abs(expected.log_sums[i])));
    }
  }

  const AttentionKernels& kernels_ = cpu_kernels(GetParam()).attention;
};

PDL_FOR_EACH_INSTRUCTION_SET(AttentionKernelsTest);

TEST_P(AttentionKernelsTest, AgreeWithFloat64) {
  unsigned seed = 0;
  for (const int64_t dims : {1, 5, 8, 16, 17, 64, 80}) {
    for (const int64_t length : {1, 2, 15, 16, 33, 65, 130}) check({length, dims, 0, 0, 0}, ++seed);
  }
}

TEST_P(AttentionKernelsTest, WindowsDocumentsAndCapsAgreeWithFloat64) {
  unsigned seed = 100;
  for (const float softcap : {0.f, 2.f}) {
    for (const int64_t window : {1, 3, 40, 1000}) check({97, 24, window, 0, softcap}, ++seed);
    for (const int64_t second : {1, 31, 64, 96}) check({97, 24, 0, second, softcap}, ++seed);
    check({97, 24, 20, 50, softcap}, ++seed);
  }
}

TEST_P(AttentionKernelsTest, DropoutAgreesWithFloat64) {
  unsigned seed = 200;
  for (const int64_t length : {1, 17, 97}) {
    check({length, 24, 0, 0, 0, true}, ++seed);
    check({length, 24, 10, 0, 2, true}, ++seed);
  }
}

}  // namespace
}  // namespace pdl
