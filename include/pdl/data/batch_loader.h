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

// One optimiser step's micro-batches.
struct StepBatches {
  std::vector<std::vector<int64_t>> rows;  // the row indices of each
  std::vector<Batch> batches;              // on the device
};

struct BatchLoaderOptions {
  int32_t pad_id = 0;
  at::Device device = at::kCPU;
  int64_t first_step = 0;  // counted from 0
  int64_t end_step = 0;    // the step behind the last
};

// next() is for one thread. `rows` must outlive the loader.
class BatchLoader {
 public:
  BatchLoader(const Sequences& rows, const BatchPlan& plan, const BatchLoaderOptions& options);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // Those of the next step. Rethrows what went wrong while they were made.
  StepBatches next();

 private:
  void make_batches();

  const Sequences& rows_;
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
