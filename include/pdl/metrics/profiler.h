// Where the time of a run goes: totals by phase, and a trace of single phases in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "pdl/metrics/metrics.h"

namespace pdl {

// Of one thread. Phases may nest.
class Profiler {
 public:
  // `synchronize` waits for the device, so that a phase has the time of the work it started; it is
  // called at both ends of each phase. Empty for a CPU.
  explicit Profiler(std::function<void()> synchronize = {});

  void begin(const char* name);
  void end();
  // Without waiting for the device: it does not throw, and the phase may miss work that it started.
  void end_now() noexcept;

  // In the order in which the phases first began.
  const std::vector<PhaseTime>& times() const { return times_; }
  // Since construction, seconds.
  double elapsed() const;

  // The single phases as JSON in Chrome's trace event format, which chrome://tracing and Perfetto
  // open. Only the first kMaxEvents are kept.
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
    double inside = 0;  // seconds of the phases in it
  };

  std::function<void()> synchronize_;
  Clock::time_point start_;
  std::vector<PhaseTime> times_;
  std::vector<OpenPhase> open_;
  std::vector<Event> events_;
  int64_t dropped_events_ = 0;
};

// A phase that lasts as long as this object, if nothing ends it before; nothing without a profiler.
class ProfiledPhase {
 public:
  ProfiledPhase(Profiler* profiler, const char* name) : profiler_(profiler) { next(name); }
  // Throws what waiting for the device throws, but not while another failure unwinds.
  ~ProfiledPhase() noexcept(false) {
    if (std::uncaught_exceptions() == 0) {
      end();
    } else if (profiler_ != nullptr && is_open_) {
      profiler_->end_now();
    }
  }
  ProfiledPhase(const ProfiledPhase&) = delete;
  ProfiledPhase& operator=(const ProfiledPhase&) = delete;

  // Ends the present phase, if there is one, and begins another.
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

// A table of the phases with their shares of `wall_seconds`, and what lies between them; one line
// an element.
std::vector<std::string> profile_table(const std::vector<PhaseTime>& times, double wall_seconds);

}  // namespace pdl
