// Measures where the time of a run goes: totals by phase, and a trace of the single phases.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "pdl/metrics/metrics.h"

namespace pdl {

// For one thread. Phases may nest.
class Profiler {
 public:
  // `synchronize` waits for the device and is called at both ends of each phase, so that a phase
  // includes the work it started. Empty for a CPU. `count_multiplications` returns those of all
  // matrix products so far; empty: they are not known.
  explicit Profiler(std::function<void()> synchronize = {},
                    std::function<double()> count_multiplications = {});

  // Begins a phase within those that are open; end() ends the innermost.
  void begin(const char* name);
  void end();
  // Ends the phase without waiting for the device. Hence it does not throw, but the phase may miss
  // work that it started.
  void end_now() noexcept;

  // Times in the order in which the phases first began.
  const std::vector<PhaseTime>& times() const { return times_; }
  // Seconds since construction.
  double elapsed() const;

  // Returns the single phases as JSON in Chrome's trace event format, for chrome://tracing and
  // Perfetto. Only the first kMaxEvents are kept, so that a long run's trace lacks its end.
  std::string trace_json() const;
  static constexpr size_t kMaxEvents = 200'000;
  int64_t dropped_events() const { return dropped_events_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Event {
    size_t phase;
    double begin;  // seconds since start_
    double seconds;
  };
  struct OpenPhase {
    size_t phase;
    double begin;
    double first_multiplication;
    double inside = 0;  // seconds of nested phases
    double multiplications_inside = 0;
  };
  double multiplications() const;

  std::function<void()> synchronize_;
  std::function<double()> count_multiplications_;
  Clock::time_point start_;
  std::vector<PhaseTime> times_;
  std::vector<OpenPhase> open_;
  std::vector<Event> events_;
  int64_t dropped_events_ = 0;
};

// A phase that ends with this object at the latest. Does nothing without a profiler.
class ProfiledPhase {
 public:
  ProfiledPhase(Profiler* profiler, const char* name) : profiler_(profiler) { next(name); }
  // Throws what waiting for the device throws, but not while another exception unwinds.
  ~ProfiledPhase() noexcept(false) {
    if (std::uncaught_exceptions() == 0) {
      end();
    } else if (profiler_ != nullptr && is_open_) {
      profiler_->end_now();
    }
  }
  ProfiledPhase(const ProfiledPhase&) = delete;
  ProfiledPhase& operator=(const ProfiledPhase&) = delete;

  // Ends the current phase, if there is one, and begins another.
  void next(const char* name) {
    end();
    if (profiler_ != nullptr) profiler_->begin(name);
    is_open_ = true;
  }
  void end() {
    if (profiler_ != nullptr && is_open_) profiler_->end();
    is_open_ = false;
  }

 private:
  Profiler* profiler_;
  bool is_open_ = false;
};

// Sets floor_seconds of phases with products, of which `multiplications_per_second` are made.
std::vector<PhaseTime> with_floors(std::vector<PhaseTime> times, double multiplications_per_second);

// Returns a table of the phases with their shares of `wall_seconds`, and the time outside all
// phases. Each element is one line.
std::vector<std::string> profile_table(const std::vector<PhaseTime>& times, double wall_seconds);

}  // namespace pdl
