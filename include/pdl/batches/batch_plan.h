// Assigns sequences to steps. Everything is a pure function of the step's number, so that number is
// the only state of the position in the data.
#pragma once

#include <cstdint>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// Returns a permutation of [0, num_sequences) that depends on (seed, epoch, num_sequences) alone:
// Fisher-Yates with pdl::Random.
std::vector<int64_t> shuffled_order(int64_t num_sequences, uint64_t seed, int64_t epoch);

// The sequences of one forward and backward pass of one rank.
struct MicroBatch {
  int64_t index = 0;  // in the window, over all ranks
  std::vector<int64_t> sequences;
};

// Cuts each epoch's sequences, in their order, into micro-batches of per_device_train_batch_size
// sequences. A window, which is one optimiser step, has gradient_accumulation_steps of them for
// each rank. The last micro-batch and the last window of an epoch may be shorter; nothing is
// carried into the next epoch.
class BatchPlan {
 public:
  BatchPlan(int64_t num_sequences, const TrainingOptions& options, int64_t num_ranks = 1);

  // Optimiser steps of a whole epoch: windows of micro-batches, the last of which may be shorter.
  int64_t steps_per_epoch() const;
  // Returns max_steps if positive, else ceil(num_train_epochs · steps_per_epoch()).
  int64_t total_steps() const;
  // Returns the micro-batches of optimiser step `step`, counted from 0, over all ranks.
  std::vector<MicroBatch> window(int64_t step);

 private:
  const std::vector<int64_t>& order_of(int64_t epoch);

  int64_t num_sequences_;
  TrainingOptions options_;
  int64_t window_size_;       // micro-batches
  int64_t order_epoch_ = -1;  // the epoch that order_ belongs to
  std::vector<int64_t> order_;
};

// Returns the micro-batches of a window that `rank` computes: rank, rank + num_ranks, …; there may
// be none.
std::vector<MicroBatch> share_of(const std::vector<MicroBatch>& window, int64_t rank,
                                 int64_t num_ranks);

}  // namespace pdl
