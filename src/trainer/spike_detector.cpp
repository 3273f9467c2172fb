#include "pdl/trainer/spike_detector.h"

#include <cmath>
#include <numeric>

namespace pdl {

double spike_z_score(std::span<const double> history, double ce) {
  if (std::ssize(history) < kSpikeWindow || !std::isfinite(ce)) return 0;
  const auto size = static_cast<double>(history.size());
  const double mean = std::accumulate(history.begin(), history.end(), 0.0) / size;
  double square_sum = 0;
  for (const double value : history) square_sum += (value - mean) * (value - mean);
  const double deviation = std::sqrt(square_sum / size);
  return deviation > 0 ? (ce - mean) / deviation : 0;
}

void add_to_history(std::vector<double>& history, double ce) {
  if (!std::isfinite(ce)) return;
  if (std::ssize(history) == kSpikeWindow) history.erase(history.begin());
  history.push_back(ce);
}

}  // namespace pdl
