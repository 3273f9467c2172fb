// Observers of a run. They only read: what they do never changes the training.
#pragma once

#include "pdl/metrics/metrics.h"

namespace pdl {

class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_start(const StartMetrics& start) = 0;
  virtual void on_resume(int64_t step) = 0;
  virtual void on_step(const StepMetrics& step) = 0;
  virtual void on_skip(const SkipMetrics& skip) = 0;
  virtual void on_spike(const SpikeMetrics& spike) = 0;
  virtual void on_eval(const EvalMetrics& eval) = 0;
  virtual void on_end(const RunSummary& summary) = 0;
};

}  // namespace pdl
