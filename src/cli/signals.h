// Handles SIGTERM, SIGINT, SIGHUP, SIGUSR1 and the time limit of a training run.
#pragma once

#include <chrono>

#include "pdl/trainer/run_control.h"

namespace pdl {

// Until ProcessControl::begin(), SIGTERM, SIGINT and SIGHUP end the process at once with 128 +
// their number, and SIGUSR1 is remembered. SIGHUP stays ignored if it is, as under nohup. SIGPIPE
// is ignored: writing to a closed pipe gives an error.
void handle_signals();

// From begin() on, the first of SIGTERM, SIGINT and SIGHUP requests the run to save and end; the
// second ends the process at once. A signal after the end of the run changes nothing, not even the
// exit code, because summary.json holds that already. To be constructed once per process.
class ProcessControl : public RunControl {
 public:
  // Requests the run to end when `max_minutes` have passed since `start`; 0: never.
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
