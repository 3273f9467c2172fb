#include "pdl/data/batch_loader.h"

#include <utility>

namespace pdl {
namespace {

// Steps that are ready ahead: one to be taken, one in reserve.
constexpr size_t kMaxReady = 2;

}  // namespace

BatchLoader::BatchLoader(const Sequences& rows, const BatchPlan& plan,
                         const BatchLoaderOptions& options)
    : rows_(rows), plan_(plan), options_(options), thread_([this] { make_batches(); }) {}

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

void BatchLoader::make_batches() {
  try {
    for (int64_t step = options_.first_step; step < options_.end_step; ++step) {
      StepBatches made{.rows = plan_.micro_batches(step), .batches = {}};
      for (const std::vector<int64_t>& micro_batch : made.rows) {
        made.batches.push_back(make_batch(rows_, micro_batch, options_.pad_id, options_.device));
      }
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
