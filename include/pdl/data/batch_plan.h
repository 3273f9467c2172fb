// Which sequences make which step. Everything is a pure function of the step's number, so the
// position in the data needs no other state than that number.
#pragma once

#include <cstdint>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// A permutation of [0, num_sequences) that depends on (seed, epoch, num_sequences) alone:
// Fisher-Yates with pdl::Random.
std::vector<int64_t> shuffled_order(int64_t num_sequences, uint64_t seed, int64_t epoch);

// The sequences of one forward and backward of one rank.
struct MicroBatch {
  int64_t index = 0;  // in its window, over all ranks
  std::vector<int64_t> sequences;
};

// Each epoch's sequences, in their order, are cut into micro-batches of
// per_device_train_batch_size, and those into windows, one for each optimiser step, of
// gradient_accumulation_steps for each rank. The last micro-batch and the last window of an epoch
// may be shorter; nothing is carried into the next epoch.
class BatchPlan {
 public:
  BatchPlan(int64_t num_sequences, const TrainingOptions& options, int64_t num_ranks = 1);

  int64_t steps_per_epoch() const;
  // max_steps if positive, else ceil(num_train_epochs · steps_per_epoch()).
  int64_t total_steps() const;
  // The micro-batches of optimiser step `step`, counted from 0, over all ranks.
  std::vector<MicroBatch> window(int64_t step);

 private:
  const std::vector<int64_t>& order_of(int64_t epoch);

  int64_t num_sequences_;
  TrainingOptions options_;
  int64_t window_size_;       // micro-batches
  int64_t order_epoch_ = -1;  // the epoch that order_ belongs to
  std::vector<int64_t> order_;
};

// The part of a window that is rank's: its micro-batches rank, rank + num_ranks, …; it may be
// empty.
std::vector<MicroBatch> share_of(const std::vector<MicroBatch>& window, int64_t rank,
                                 int64_t num_ranks);

}  // namespace pdl
