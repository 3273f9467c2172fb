// What the kernels of pdl/kernels/cuda_cross_entropy.h must compute, in float64, and by how much
// they may be off.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/cuda_cross_entropy_problem.h"

namespace pdl::cuda_cases {

struct RowReference {
  double ce = 0;
  double ce_tolerance = 0;
  std::vector<double> probability;
  // Of each probability, absolute.
  std::vector<double> tolerance;
};

// An exponential has an error of 2^-22 from the instruction, and of |x - max|·(2^-24 + 2^-24 +
// 2^-26) from the rounding of the difference, of the product with log2 e, and of log2 e; a sum of
// them one of some 2^-23, as have a quotient and a product each.
constexpr double kExpError = 0x1p-22;
constexpr double kExponentError = 2.25 * 0x1p-24;
constexpr double kRestError = 4 * 0x1p-24;
constexpr double kFlushed = 0x1p-126;  // an exponential below becomes 0

inline RowReference reference(const Problem& problem, int64_t row) {
  const int64_t columns = problem.columns;
  double max = -kInfinity;
  for (int64_t v = 0; v < columns; ++v) {
    if (!(problem.logit(row, v) <= max)) max = problem.logit(row, v);
    if (std::isnan(max)) break;
  }
  RowReference result;
  double sum = 0;
  double sum_error = 0;
  for (int64_t v = 0; v < columns; ++v) {
    const double x = problem.logit(row, v) - max;
    const double exp = std::exp(x);
    const double error = exp == 0 ? 0 : exp * (kExpError - x * kExponentError) + kFlushed;
    sum += exp;
    // Errors of opposite sign are taken to cancel in no way.
    sum_error += exp == 1 ? 0 : error;
    result.probability.push_back(exp);
    result.tolerance.push_back(error);
  }
  const double sum_relative = sum_error / sum + kRestError;
  for (int64_t v = 0; v < columns; ++v) {
    double& p = result.probability[static_cast<size_t>(v)];
    double& error = result.tolerance[static_cast<size_t>(v)];
    error = error / sum + p / sum * sum_relative;
    p /= sum;
  }
  const int64_t target = problem.targets[static_cast<size_t>(row)];
  if (target < 0 || target >= columns) {
    result.ce = kNan;
    return result;
  }
  result.ce = std::log(sum) + (max - problem.logit(row, target));
  // The logarithm in float32 adds a unit in its last place.
  result.ce_tolerance = sum_relative + 0x1p-23 * std::log(sum);
  return result;
}

#define EXPECT_CLOSE(actual, expected, tolerance) \
  if (std::isnan(expected)) {                     \
    ASSERT_TRUE(std::isnan(actual)) << (actual);  \
  } else if ((actual) != (expected)) {            \
    ASSERT_NEAR(actual, expected, tolerance);     \
  }

inline void check_sums(const Problem& problem, const std::vector<double>& row_ce,
                       double weighted_sum, double ce_sum) {
  double weighted = 0;
  double plain = 0;
  double magnitude = 0;
  for (size_t i = 0; i < row_ce.size(); ++i) {
    const int64_t target = problem.targets[i];
    if (target == kIgnored) continue;
    const double weight = target >= 0 && target < problem.columns
                              ? problem.weights[static_cast<size_t>(target)]
                              : kNan;
    weighted += weight * row_ce[i];
    plain += row_ce[i];
    magnitude += std::fabs(weight * row_ce[i]);
  }
  EXPECT_CLOSE(weighted_sum, weighted, 1e-14 * magnitude);
  EXPECT_CLOSE(ce_sum, plain, 1e-14 * plain);
}

inline void check_gradient(const Problem& problem, const GradientResult& result) {
  ASSERT_EQ(result.gradient.size(), problem.logits.size());
  for (int64_t i = 0; i < problem.rows; ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    const int64_t target = problem.targets[static_cast<size_t>(i)];
    const double* gradient = &result.gradient[static_cast<size_t>(i * problem.columns)];
    const double ce = result.row_ce[static_cast<size_t>(i)];
    if (target == kIgnored) {
      EXPECT_EQ(ce, 0);
      for (int64_t v = 0; v < problem.columns; ++v) ASSERT_EQ(gradient[v], 0) << "column " << v;
      continue;
    }
    const RowReference row = reference(problem, i);
    EXPECT_CLOSE(ce, row.ce, row.ce_tolerance);
    const bool is_column = target >= 0 && target < problem.columns;
    const double scale =
        is_column ? problem.weights[static_cast<size_t>(target)] / problem.weight_sum : kNan;
    for (int64_t v = 0; v < problem.columns; ++v) {
      const double p = row.probability[static_cast<size_t>(v)];
      const double expected = scale * (v == target ? p - 1 : p);
      // The scale and the product with it are rounded too; of p - 1 the rounding is of p's size.
      const double error = scale * row.tolerance[static_cast<size_t>(v)] +
                           std::fabs(expected) * kRestError + 0x1p-149;
      const double tolerance = error + rounding_error(problem.format, std::fabs(expected) + error);
      SCOPED_TRACE("column " + std::to_string(v));
      EXPECT_CLOSE(gradient[v], expected, tolerance);
    }
  }
  check_sums(problem, result.row_ce, result.weighted_sum, result.ce_sum);
}

inline void check_evaluation(const Problem& problem, const EvaluationResult& result) {
  for (int64_t i = 0; i < problem.rows; ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    const double ce = result.row_ce[static_cast<size_t>(i)];
    const int64_t argmax = result.argmax[static_cast<size_t>(i)];
    const double* mass = &result.band_mass[static_cast<size_t>(i * kPdlCudaBands)];
    if (problem.targets[static_cast<size_t>(i)] == kIgnored) {
      EXPECT_EQ(ce, 0);
      EXPECT_EQ(argmax, -1);
      for (int b = 0; b < kPdlCudaBands; ++b) EXPECT_EQ(mass[b], 0);
      continue;
    }
    const RowReference row = reference(problem, i);
    EXPECT_CLOSE(ce, row.ce, row.ce_tolerance);
    int64_t best = 0;
    double expected_mass[kPdlCudaBands] = {};
    double tolerance[kPdlCudaBands] = {};
    for (int64_t v = 0; v < problem.columns; ++v) {
      const double x = problem.logit(i, v);
      if (std::isnan(x)) best = -1;
      if (best >= 0 && x > problem.logit(i, best)) best = v;
      const int band = problem.bands[static_cast<size_t>(v)];
      if (band >= kPdlCudaBands) continue;
      const double p = row.probability[static_cast<size_t>(v)];
      expected_mass[band] += p;
      tolerance[band] += row.tolerance[static_cast<size_t>(v)] + p * kRestError;
    }
    EXPECT_EQ(argmax, best);
    for (int b = 0; b < kPdlCudaBands; ++b) {
      SCOPED_TRACE("band " + std::to_string(b));
      // A row without a defined softmax has none for the tokens of a band without tokens either.
      const double expected = std::isnan(row.probability[0]) ? kNan : expected_mass[b];
      EXPECT_CLOSE(mass[b], expected, tolerance[b]);
    }
  }
  check_sums(problem, result.row_ce, result.weighted_sum, result.ce_sum);
}

}  // namespace pdl::cuda_cases
