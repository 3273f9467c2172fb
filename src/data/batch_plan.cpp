#include "pdl/data/batch_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "pdl/base/random.h"

namespace pdl {
namespace {

int64_t ceil_divide(int64_t dividend, int64_t divisor) {
  return (dividend + divisor - 1) / divisor;
}

}  // namespace

std::vector<int64_t> shuffled_rows(int64_t num_rows, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(num_rows));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, static_cast<uint64_t>(epoch));
  for (size_t last = order.size(); last > 1; --last) {
    std::swap(order[last - 1], order[random.below(last)]);
  }
  return order;
}

BatchPlan::BatchPlan(int64_t num_rows, const TrainingOptions& options)
    : num_rows_(num_rows), options_(options) {}

int64_t BatchPlan::steps_per_epoch() const {
  return ceil_divide(ceil_divide(num_rows_, options_.per_device_train_batch_size),
                     options_.gradient_accumulation_steps);
}

int64_t BatchPlan::total_steps() const {
  if (options_.max_steps > 0) return options_.max_steps;
  return static_cast<int64_t>(
      std::ceil(options_.num_train_epochs * static_cast<double>(steps_per_epoch())));
}

std::vector<std::vector<int64_t>> BatchPlan::micro_batches(int64_t step) {
  const int64_t epoch = step / steps_per_epoch();
  if (epoch != order_epoch_) {
    if (options_.shuffle) {
      order_ = shuffled_rows(num_rows_, static_cast<uint64_t>(options_.seed), epoch);
    } else {
      order_.resize(static_cast<size_t>(num_rows_));
      std::iota(order_.begin(), order_.end(), 0);
    }
    order_epoch_ = epoch;
  }
  const int64_t window = step % steps_per_epoch();
  std::vector<std::vector<int64_t>> batches;
  for (int64_t i = 0; i < options_.gradient_accumulation_steps; ++i) {
    const int64_t begin =
        (window * options_.gradient_accumulation_steps + i) * options_.per_device_train_batch_size;
    if (begin >= num_rows_) break;
    const int64_t end = std::min(begin + options_.per_device_train_batch_size, num_rows_);
    batches.emplace_back(order_.begin() + begin, order_.begin() + end);
  }
  return batches;
}

}  // namespace pdl
