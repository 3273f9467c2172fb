#include "pdl/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pdl {
namespace {

// Returns λ after the warm-up of W steps.
double decay(ScheduleType type, double k, double total, double warmup) {
  const double span = std::max(1.0, total - warmup);
  switch (type) {
    case ScheduleType::kConstant:
      return 1.0;
    case ScheduleType::kLinear:
      return std::max(0.0, (total - k) / span);
    case ScheduleType::kCosine:
      return 0.5 * (1.0 + std::cos(std::numbers::pi * (k - warmup) / span));
    case ScheduleType::kWarmupStableDecay: {
      const double decay_steps = std::ceil(total / 10.0);
      return k < total - decay_steps ? 1.0 : (total - k) / decay_steps;
    }
  }
  return 1.0;
}

}  // namespace

double learning_rate_at(const ScheduleOptions& options, int64_t k, int64_t total_steps) {
  const auto step = static_cast<double>(k);
  const auto total = static_cast<double>(total_steps);
  const double warmup =
      options.warmup_steps < 1 ? std::ceil(options.warmup_steps * total) : options.warmup_steps;
  if (step < warmup) return options.learning_rate * step / warmup;
  const double lambda = decay(options.lr_scheduler_type, step, total, warmup);
  return options.learning_rate * (options.min_lr_ratio + (1 - options.min_lr_ratio) * lambda);
}

}  // namespace pdl
