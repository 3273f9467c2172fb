// Intervals over seeds and deviations over documents. Private to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace pdl {

// The `probability`-quantile of Student's t with `degrees` >= 1 degrees of freedom, for a
// probability in (0.5, 1). Exact but for rounding, in time proportional to `degrees`.
double student_t_quantile(double probability, int64_t degrees);

// Mean and standard deviation of a sample.
struct SampleMoments {
  int64_t size = 0;
  double mean = 0;
  double sd = 0;  // with size - 1 in the denominator; 0 for a size of 1
};

// `sample` is not empty.
SampleMoments moments_of(const std::vector<double>& sample);

// An interval, both ends included.
struct Interval {
  double low = 0;
  double high = 0;
};

// Returns mean ± t(0.975, size - 1)·sd / √size; nothing for a size of 1.
std::optional<Interval> interval_of(const SampleMoments& moments);

// Returns the standard deviation of Σ numerator / Σ denominator over samples of as many documents,
// drawn with replacement. The same draws are made in each call. Draws without a denominator are
// left out.
double bootstrap_sd(const std::vector<double>& numerators,
                    const std::vector<int64_t>& denominators);

}  // namespace pdl
