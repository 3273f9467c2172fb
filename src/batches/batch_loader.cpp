#include "pdl/batches/batch_loader.h"

#include <utility>

namespace pdl {
namespace {

// Steps made in advance: one to be taken, one in reserve.
constexpr size_t kMaxReady = 2;

}  // namespace

BatchLoader::BatchLoader(const Sequences& sequences, const BatchPlan& plan,
                         const BatchLoaderOptions& options)
    : sequences_(sequences), plan_(plan), options_(options), thread_([this] { make_all(); }) {}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

StepBatches BatchLoader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || failure_ != nullptr; });
  if (ready_.empty()) std::rethrow_exception(failure_);
  StepBatches batches = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return batches;
}

StepBatches BatchLoader::make(int64_t step) {
  const std::vector<MicroBatch> window = plan_.window(step);
  StepBatches made;
  for (const MicroBatch& micro_batch : window) {
    made.sequences.insert(made.sequences.end(), micro_batch.sequences.begin(),
                          micro_batch.sequences.end());
  }
  made.micro_batches = share_of(window, options_.rank, options_.num_ranks);
  for (const MicroBatch& micro_batch : made.micro_batches) {
    made.batches.push_back(make_batch(sequences_, micro_batch.sequences, options_.batch));
  }
  return made;
}

void BatchLoader::make_all() {
  try {
    for (int64_t step = options_.first_step; step < options_.end_step; ++step) {
      StepBatches made = make(step);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || ready_.size() < kMaxReady; });
      if (stop_) return;
      ready_.push_back(std::move(made));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    changed_.notify_all();
  }
}

}  // namespace pdl
