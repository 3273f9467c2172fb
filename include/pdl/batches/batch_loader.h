// Makes the batches of a run's steps on a separate thread, while the step before is computed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "pdl/batches/batch.h"
#include "pdl/batches/batch_plan.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

// The batches of one rank for one optimiser step.
struct StepBatches {
  std::vector<int64_t> sequences;         // indices, of the whole window over all ranks
  std::vector<MicroBatch> micro_batches;  // of this rank
  std::vector<Batch> batches;             // the micro-batches on the device
};

// For which rank and steps batches are made, and how.
struct BatchLoaderOptions {
  BatchOptions batch = {};
  int64_t first_step = 0;  // counted from 0
  int64_t end_step = 0;    // one past the last
  int64_t rank = 0;
  int64_t num_ranks = 1;  // for which the plan was made
};

// next() is for one thread. `sequences` must outlive the loader.
class BatchLoader {
 public:
  BatchLoader(const Sequences& sequences, const BatchPlan& plan, const BatchLoaderOptions& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // Returns the batches of the next step, of which there must be one. Rethrows what the thread
  // threw while it made them.
  StepBatches next();

 private:
  StepBatches make(int64_t step);
  void make_all();

  const Sequences& sequences_;
  BatchPlan plan_;
  BatchLoaderOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StepBatches> ready_;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;  // last: it starts when all other members exist
};

}  // namespace pdl
