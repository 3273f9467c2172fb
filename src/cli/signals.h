// SIGTERM, SIGINT, SIGUSR1 and the time limit of a training run.
#pragma once

#include <chrono>

#include "pdl/trainer/run_control.h"

namespace pdl {

// Makes SIGTERM and SIGINT end the process at once with 128 + their number, and has SIGUSR1
// remembered, until ProcessControl::begin(). A closed pipe is an error of who writes to it.
void handle_signals();

// From begin() on, the first SIGTERM or SIGINT asks the run to save and end; the second
// ends the process at once. One that comes when the run has ended is too late to change anything:
// not the exit code either, which summary.json has told already. A process makes one.
class ProcessControl : public RunControl {
 public:
  // Asks the run to end when `max_minutes` have passed since `start`; 0: never.
  ProcessControl(std::chrono::steady_clock::time_point start, double max_minutes);

  void begin() override;
  bool stop_requested() override;
  bool take_save_request() override;

  int stop_signal() const override;

 private:
  std::chrono::steady_clock::time_point start_;
  double max_minutes_;
};

}  // namespace pdl
