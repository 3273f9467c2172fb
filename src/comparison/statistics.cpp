#include "statistics.h"

#include <cmath>
#include <numbers>

#include "pdl/base/random.h"

namespace pdl {
namespace {

constexpr double kProbability = 0.975;  // of the interval's upper end
constexpr uint64_t kBootstrapSeed = 20261201;
constexpr int kResamples = 1000;

// The probability of |T| <= √degrees·tan(theta): the finite sums 26.7.3 and 26.7.4 of Abramowitz
// and Stegun, Handbook of Mathematical Functions (1964).
double central_probability(double theta, int64_t degrees) {
  const double cosine = std::cos(theta);
  const bool is_odd = degrees % 2 == 1;
  double term = is_odd ? cosine : 1;
  double sum = 0;
  for (int64_t power = is_odd ? 1 : 0; power <= degrees - 2; power += 2) {
    sum += term;
    const auto next = static_cast<double>(power + 2);
    term *= (next - 1) / next * cosine * cosine;
  }
  if (!is_odd) return std::sin(theta) * sum;
  return 2 / std::numbers::pi * (theta + std::sin(theta) * sum);
}

}  // namespace

double student_t_quantile(double probability, int64_t degrees) {
  const double central = 2 * probability - 1;
  double low = 0;
  double high = std::numbers::pi / 2;
  while (true) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;  // neighbours
    (central_probability(middle, degrees) < central ? low : high) = middle;
  }
  return std::sqrt(static_cast<double>(degrees)) * std::tan(low);
}

SampleMoments moments_of(const std::vector<double>& sample) {
  SampleMoments moments{.size = std::ssize(sample)};
  const auto size = static_cast<double>(sample.size());
  double sum = 0;
  for (const double value : sample) sum += value;
  moments.mean = sum / size;
  if (sample.size() == 1) return moments;
  double squares = 0;
  for (const double value : sample) squares += (value - moments.mean) * (value - moments.mean);
  moments.sd = std::sqrt(squares / (size - 1));
  return moments;
}

std::optional<Interval> interval_of(const SampleMoments& moments) {
  if (moments.size < 2) return std::nullopt;
  const double half_width = student_t_quantile(kProbability, moments.size - 1) * moments.sd /
                            std::sqrt(static_cast<double>(moments.size));
  return Interval{.low = moments.mean - half_width, .high = moments.mean + half_width};
}

double bootstrap_sd(const std::vector<double>& numerators,
                    const std::vector<int64_t>& denominators) {
  Random random(kBootstrapSeed);
  std::vector<double> ratios;
  for (int resample = 0; resample < kResamples; ++resample) {
    double numerator = 0;
    int64_t denominator = 0;
    for (size_t draw = 0; draw < numerators.size(); ++draw) {
      const auto document = static_cast<size_t>(random.below(numerators.size()));
      numerator += numerators[document];
      denominator += denominators[document];
    }
    if (denominator > 0) ratios.push_back(numerator / static_cast<double>(denominator));
  }
  return ratios.empty() ? 0 : moments_of(ratios).sd;
}

}  // namespace pdl
