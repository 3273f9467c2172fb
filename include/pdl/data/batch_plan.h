// Which rows make which step. Everything is a pure function of the step's number, so the position
// in the data needs no other state than that number.
#pragma once

#include <cstdint>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// A permutation of [0, num_rows) that depends on (seed, epoch, num_rows) alone: Fisher-Yates with
// pdl::Random.
std::vector<int64_t> shuffled_rows(int64_t num_rows, uint64_t seed, int64_t epoch);

// Each epoch's rows, in their order, are cut into micro-batches and those into windows of
// accumulation_steps; the last micro-batch and the last window of an epoch may be shorter, nothing
// is carried into the next one.
class BatchPlan {
 public:
  BatchPlan(int64_t num_rows, const TrainingOptions& options);

  int64_t steps_per_epoch() const;
  // max_steps if positive, else ceil(num_train_epochs · steps_per_epoch()).
  int64_t total_steps() const;
  // The row indices of each micro-batch of optimiser step `step`, counted from 0.
  std::vector<std::vector<int64_t>> micro_batches(int64_t step);

 private:
  int64_t num_rows_;
  TrainingOptions options_;
  int64_t order_epoch_ = -1;  // the epoch that order_ belongs to
  std::vector<int64_t> order_;
};

}  // namespace pdl
