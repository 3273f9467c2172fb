// The batches of a run's steps, made on a thread of their own while the step before is computed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "pdl/data/batch.h"
#include "pdl/data/batch_plan.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

// One optimiser step's share of one rank.
struct StepBatches {
  std::vector<int64_t> sequences;         // indices of those of the whole window, of all ranks
  std::vector<MicroBatch> micro_batches;  // of this rank
  std::vector<Batch> batches;             // the same as tensors on the device
};

struct BatchLoaderOptions {
  int32_t pad_id = 0;
  at::Device device = at::kCPU;
  int64_t first_step = 0;  // counted from 0
  int64_t end_step = 0;    // one past the last
  int64_t rank = 0;
  int64_t num_ranks = 1;  // those that the plan was made for
};

// next() is for one thread. `sequences` must outlive the loader.
class BatchLoader {
 public:
  BatchLoader(const Sequences& sequences, const BatchPlan& plan, const BatchLoaderOptions& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // Those of the next step. Rethrows what went wrong while they were made.
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
  std::thread thread_;  // last: it starts when all else is there
};

}  // namespace pdl
