#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pdl/kernels/cpu_kernels.h"
#include "support/bfloat16.h"
#include "support/instruction_sets.h"

namespace pdl {
namespace {

constexpr float kUntouched = 12288;  // a bfloat16, too
constexpr int64_t kGap = 3;          // between the rows of a matrix

struct Case {
  int64_t length;
  int64_t dims;
  int64_t window;  // a query sees so many keys at most; 0: all
  int64_t second;  // the first position of a second document; 0: none
  float softcap;
  bool drops = false;
};

// Rows with gaps between them.
struct HeadValues {
  int64_t dims;
  std::vector<float> values;

  HeadValues(int64_t length, int64_t width)
      : dims(width), values(static_cast<size_t>(length * (width + kGap)), kUntouched) {}
  int64_t stride() const { return dims + kGap; }
  float& at(int64_t row, int64_t column) {
    return values[static_cast<size_t>(row * stride() + column)];
  }
};

float to_value(float value, float) { return value; }
Bfloat16 to_value(float value, Bfloat16) { return to_bfloat16(value); }
float to_float(float value) { return value; }

// Rows of the dtype of a kernel.
template <class Value>
struct Buffer {
  int64_t stride;
  std::vector<Value> values;

  explicit Buffer(const HeadValues& from) : stride(from.stride()) {
    for (const float value : from.values) values.push_back(to_value(value, Value()));
  }
  Rows<Value> view() { return {values.data(), stride}; }
  void copy_to(HeadValues& to) const {
    std::transform(values.begin(), values.end(), to.values.begin(),
                   [](Value value) { return to_float(value); });
  }
};

HeadValues rounded(HeadValues rows) {
  for (float& value : rows.values)
    value = value == kUntouched ? value : to_float(to_bfloat16(value));
  return rows;
}

HeadValues random_rows(int64_t length, int64_t dims, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> distribution;
  HeadValues rows(length, dims);
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t d = 0; d < dims; ++d) rows.at(t, d) = distribution(generator);
  }
  return rows;
}

// Of probabilities and of gradients, relative.
template <class Value>
constexpr double kRounding = std::is_same_v<Value, float> ? 0 : 0x1.01p-8;

// A sum, and how much it changes at most, relative to the rounding of probabilities and gradients.
struct Sum {
  double value = 0;
  double change = 0;
};

// Output and gradients in float64, by the formula.
struct Expected {
  std::vector<Sum> out, q, k, v;
  std::vector<double> log_sums;
};

// What a head is given.
struct Problem {
  Case shape;
  HeadValues q, k, v, gradient;
  std::vector<int32_t> first_key;
  std::vector<float> kept;  // [T, T], or empty
  float scale;

  AttentionScores scores() const {
    return {.length = shape.length,
            .first_key = first_key.data(),
            .scale = scale,
            .softcap = shape.softcap,
            .kept = shape.drops ? kept.data() : nullptr};
  }
};

Problem random_problem(const Case& shape, unsigned seed) {
  const auto rows = [&](unsigned i) { return random_rows(shape.length, shape.dims, 4 * seed + i); };
  Problem problem{shape,   rows(0), rows(1), rows(2),
                  rows(3), {},      {},      1 / std::sqrt(static_cast<float>(shape.dims))};
  for (int64_t t = 0; t < shape.length; ++t) {
    const int64_t in_window = shape.window > 0 ? std::max<int64_t>(0, t - shape.window + 1) : 0;
    const int64_t in_document = shape.second > 0 && t >= shape.second ? shape.second : 0;
    problem.first_key.push_back(static_cast<int32_t>(std::max(in_window, in_document)));
  }
  std::mt19937 generator(seed);
  for (int64_t i = 0; shape.drops && i < shape.length * shape.length; ++i)
    problem.kept.push_back(generator() % 4 == 0 ? 0.f : 4.f / 3);
  return problem;
}

Problem rounded(Problem problem) {
  for (HeadValues* rows : {&problem.q, &problem.k, &problem.v, &problem.gradient})
    *rows = rounded(*rows);
  return problem;
}

struct Result {
  HeadValues out, q, k, v;
  std::vector<float> log_sums;
};

template <class Value>
Result attend(const AttentionKernels<Value>& kernels, const Problem& problem) {
  const auto [length, dims] = std::pair(problem.shape.length, problem.shape.dims);
  const Buffer<Value> q(problem.q);
  const Buffer<Value> k(problem.k);
  const Buffer<Value> v(problem.v);
  Buffer<Value> gradient(problem.gradient);
  AttentionHead<Value> head{problem.scores()};
  head.dims = dims;
  head.q = q.values.data();
  head.k = k.values.data();
  head.v = v.values.data();
  head.q_stride = head.k_stride = head.v_stride = q.stride;
  const auto size = static_cast<size_t>(kernels.workspace(length, dims));
  // What a kernel finds in its workspace does not matter.
  std::vector<float> workspace(size, NAN);
  workspace.push_back(kUntouched);
  const HeadValues empty(length, dims);
  Buffer<float> out(empty);
  Buffer<Value> to_q(empty);
  Buffer<Value> to_k(empty);
  Buffer<Value> to_v(empty);
  Result result{empty, empty, empty, empty, std::vector<float>(static_cast<size_t>(length), NAN)};
  kernels.forward(head, out.view(), result.log_sums.data(), workspace.data());
  EXPECT_EQ(workspace.back(), kUntouched);
  std::fill_n(workspace.begin(), size, NAN);
  kernels.backward(head, out.view(), gradient.view(), result.log_sums.data(),
                   {to_q.view(), to_k.view(), to_v.view()}, workspace.data());
  EXPECT_EQ(workspace.back(), kUntouched);
  out.copy_to(result.out);
  to_q.copy_to(result.q);
  to_k.copy_to(result.k);
  to_v.copy_to(result.v);
  return result;
}

class Reference {
 public:
  explicit Reference(Problem& problem)
      : case_(problem.shape),
        q_(problem.q),
        k_(problem.k),
        v_(problem.v),
        gradient_(problem.gradient),
        first_key_(problem.first_key),
        kept_(problem.kept),
        scale_(static_cast<double>(problem.scale)) {}

  Expected compute() {
    const auto size = static_cast<size_t>(case_.length * case_.dims);
    for (auto* values : {&result_.out, &result_.q, &result_.k, &result_.v})
      values->assign(size, Sum());
    for (int64_t t = 0; t < case_.length; ++t) add_query(t);
    return result_;
  }

 private:
  double dot(HeadValues& a, int64_t i, HeadValues& b, int64_t j) const {
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
    double mean_change = 0;
    for (int64_t s = first; s <= t; ++s) {
      const double probability = std::exp(scores[static_cast<size_t>(s - first)]) / sum;
      probabilities.push_back(probability);
      gradients.push_back(kept(t, s) * dot(gradient_, t, v_, s));
      mean += probability * gradients.back();
      for (int64_t d = 0; d < case_.dims; ++d) {
        const auto value = static_cast<double>(v_.at(s, d));
        mean_change += std::abs(kept(t, s) * probability * value * gradient_at(t, d));
        add(result_.out[index(t, d)], kept(t, s) * probability, 0, value);
      }
    }
    result_.log_sums.push_back(std::log(sum));
    for (int64_t s = first; s <= t; ++s) {
      const auto i = static_cast<size_t>(s - first);
      const double slope = cap > 0 ? 1 - scores[i] * scores[i] / (cap * cap) : 1;
      const double factor = probabilities[i] * slope * scale_;
      const double score_gradient = factor * (gradients[i] - mean);
      // The mean is that of the output, which the rounding changes.
      const double change = 1.01 * factor * mean_change;
      for (int64_t d = 0; d < case_.dims; ++d) {
        add(result_.q[index(t, d)], score_gradient, change, static_cast<double>(k_.at(s, d)));
        add(result_.k[index(s, d)], score_gradient, change, static_cast<double>(q_.at(t, d)));
        add(result_.v[index(s, d)], kept(t, s) * probabilities[i], 0, gradient_at(t, d));
      }
    }
  }

  double gradient_at(int64_t t, int64_t d) const { return static_cast<double>(gradient_.at(t, d)); }

  // Adds a product of a left factor that is rounded, and that `change` more may be added to.
  static void add(Sum& sum, double left, double change, double right) {
    sum.value += left * right;
    sum.change += (std::abs(left) + change) * std::abs(right);
  }

  Case case_;
  HeadValues &q_, &k_, &v_, &gradient_;
  const std::vector<int32_t>& first_key_;
  const std::vector<float>& kept_;  // [T, T], or empty
  double scale_;
  Expected result_;
};

void expect_rows(HeadValues& actual, const std::vector<Sum>& expected, double rounding,
                 int64_t length, const std::string& what) {
  const bool is_rounded = what != "output";  // which is float32 in any case
  double largest = 1;  // gradients that are zero by the formula have the rounding of their terms
  for (const Sum& sum : expected) largest = std::max(largest, std::abs(sum.value));
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t d = 0; d < actual.dims; ++d) {
      const Sum& sum = expected[static_cast<size_t>(t * actual.dims + d)];
      ASSERT_NEAR(actual.at(t, d), sum.value,
                  3e-6 * largest + rounding * (sum.change + (is_rounded ? std::abs(sum.value) : 0)))
          << what << " at position " << t << ", " << d;
    }
    for (int64_t i = 0; i < kGap; ++i)
      ASSERT_EQ(actual.at(t, actual.dims + i), kUntouched) << what << " beside position " << t;
  }
}

class AttentionKernelsTest : public testing::TestWithParam<InstructionSet> {
 protected:
  void check(const Case& shape, unsigned seed) const {
    const CpuKernels& kernels = cpu_kernels(GetParam());
    check(kernels.float_attention, shape, random_problem(shape, seed));
    if (kernels.bfloat16_attention != nullptr)
      check(*kernels.bfloat16_attention, shape, rounded(random_problem(shape, seed)));
  }

  template <class Value>
  void check(const AttentionKernels<Value>& attention, const Case& shape, Problem problem) const {
    constexpr double kRounds = kRounding<Value>;
    SCOPED_TRACE(std::string(kRounds > 0 ? "bfloat16" : "float32") + ", length " +
                 std::to_string(shape.length) + ", dims " + std::to_string(shape.dims) +
                 ", window " + std::to_string(shape.window) + ", second document at " +
                 std::to_string(shape.second) + ", softcap " + std::to_string(shape.softcap));
    const int64_t length = shape.length;
    Result result = attend(attention, problem);
    const Expected expected = Reference(problem).compute();
    expect_rows(result.out, expected.out, kRounds, length, "output");
    expect_rows(result.q, expected.q, kRounds, length, "gradient of q");
    expect_rows(result.k, expected.k, kRounds, length, "gradient of k");
    expect_rows(result.v, expected.v, kRounds, length, "gradient of v");
    for (int64_t t = 0; t < length; ++t) {
      const auto i = static_cast<size_t>(t);
      const double sum = expected.log_sums[i];
      EXPECT_NEAR(result.log_sums[i], sum, 2e-6 * (1 + std::abs(sum)));
    }
  }
};

PDL_FOR_EACH_INSTRUCTION_SET(AttentionKernelsTest);

TEST_P(AttentionKernelsTest, AgreeWithFloat64) {
  unsigned seed = 0;
  for (const int64_t dims : {1, 5, 8, 16, 17, 31, 64, 80}) {
    for (const int64_t length : {1, 2, 15, 16, 33, 65, 130}) check({length, dims, 0, 0, 0}, ++seed);
  }
}

TEST_P(AttentionKernelsTest, WindowsDocumentsAndCapsAgreeWithFloat64) {
  unsigned seed = 100;
  for (const float softcap : {0.f, 2.f}) {
    for (const int64_t window : {1, 3, 40, 1000}) check({97, 24, window, 0, softcap}, ++seed);
    for (const int64_t second : {1, 31, 64, 96}) check({97, 24, 0, second, softcap}, ++seed);
    check({97, 24, 20, 50, softcap}, ++seed);
    check({290, 33, 70, 140, softcap}, ++seed);
  }
}

TEST_P(AttentionKernelsTest, DropoutAgreesWithFloat64) {
  unsigned seed = 200;
  for (const int64_t length : {1, 5, 17, 97}) {
    check({length, 24, 0, 0, 0, true}, ++seed);
    check({length, 24, 10, 0, 2, true}, ++seed);
  }
}

}  // namespace
}  // namespace pdl
