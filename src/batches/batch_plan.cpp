#include "pdl/batches/batch_plan.h"

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

std::vector<int64_t> shuffled_order(int64_t num_sequences, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(num_sequences));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, static_cast<uint64_t>(epoch));
  for (size_t last = order.size(); last > 1; --last) {
    std::swap(order[last - 1], order[random.below(last)]);
  }
  return order;
}

BatchPlan::BatchPlan(int64_t num_sequences, const TrainingOptions& options, int64_t num_ranks)
    : num_sequences_(num_sequences),
      options_(options),
      window_size_(options.gradient_accumulation_steps * num_ranks) {}

int64_t BatchPlan::steps_per_epoch() const {
  return ceil_divide(ceil_divide(num_sequences_, options_.per_device_train_batch_size),
                     window_size_);
}

int64_t BatchPlan::total_steps() const {
  if (options_.max_steps > 0) return options_.max_steps;
  return static_cast<int64_t>(
      std::ceil(options_.num_train_epochs * static_cast<double>(steps_per_epoch())));
}

const std::vector<int64_t>& BatchPlan::order_of(int64_t epoch) {
  if (epoch == order_epoch_) return order_;
  if (options_.shuffle) {
    order_ = shuffled_order(num_sequences_, static_cast<uint64_t>(options_.seed), epoch);
  } else {
    order_.resize(static_cast<size_t>(num_sequences_));
    std::iota(order_.begin(), order_.end(), 0);
  }
  order_epoch_ = epoch;
  return order_;
}

std::vector<MicroBatch> BatchPlan::window(int64_t step) {
  const std::vector<int64_t>& order = order_of(step / steps_per_epoch());
  const int64_t first = step % steps_per_epoch() * window_size_;
  std::vector<MicroBatch> window;
  for (int64_t i = 0; i < window_size_; ++i) {
    const int64_t begin = (first + i) * options_.per_device_train_batch_size;
    if (begin >= num_sequences_) break;
    const int64_t end = std::min(begin + options_.per_device_train_batch_size, num_sequences_);
    window.push_back({i, {order.begin() + begin, order.begin() + end}});
  }
  return window;
}

std::vector<MicroBatch> share_of(const std::vector<MicroBatch>& window, int64_t rank,
                                 int64_t num_ranks) {
  std::vector<MicroBatch> share;
  for (int64_t i = rank; i < std::ssize(window); i += num_ranks) {
    share.push_back(window[static_cast<size_t>(i)]);
  }
  return share;
}

}  // namespace pdl
