// Observers of a run. They only read; nothing that they do changes the training.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "pdl/metrics/metrics.h"

namespace pdl {

// Every event is ignored unless it is overridden.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_start(const StartMetrics&) {}
  virtual void on_resume(int64_t /*step*/) {}
  virtual void on_step(const StepMetrics&) {}
  virtual void on_skip(const SkipMetrics&) {}
  virtual void on_spike(const SpikeMetrics&) {}
  virtual void on_eval(const EvalMetrics&) {}
  virtual void on_sample(const SampleMetrics&) {}
  virtual void on_end(const RunSummary&) {}
};

// Passes each event to several observers, in the order in which they were added.
class ObserverGroup : public RunObserver {
 public:
  void add(std::unique_ptr<RunObserver> observer) { observers_.push_back(std::move(observer)); }

  void on_start(const StartMetrics& start) override {
    for (const auto& observer : observers_) observer->on_start(start);
  }
  void on_resume(int64_t step) override {
    for (const auto& observer : observers_) observer->on_resume(step);
  }
  void on_step(const StepMetrics& step) override {
    for (const auto& observer : observers_) observer->on_step(step);
  }
  void on_skip(const SkipMetrics& skip) override {
    for (const auto& observer : observers_) observer->on_skip(skip);
  }
  void on_spike(const SpikeMetrics& spike) override {
    for (const auto& observer : observers_) observer->on_spike(spike);
  }
  void on_eval(const EvalMetrics& eval) override {
    for (const auto& observer : observers_) observer->on_eval(eval);
  }
  void on_sample(const SampleMetrics& sample) override {
    for (const auto& observer : observers_) observer->on_sample(sample);
  }
  void on_end(const RunSummary& summary) override {
    for (const auto& observer : observers_) observer->on_end(summary);
  }

 private:
  std::vector<std::unique_ptr<RunObserver>> observers_;
};

}  // namespace pdl
