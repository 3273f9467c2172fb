#include "pdl/metrics/profiler.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace pdl {

Profiler::Profiler(std::function<void()> synchronize, std::function<double()> count_multiplications)
    : synchronize_(std::move(synchronize)),
      count_multiplications_(std::move(count_multiplications)),
      start_(Clock::now()) {}

double Profiler::multiplications() const {
  return count_multiplications_ ? count_multiplications_() : 0;
}

double Profiler::elapsed() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Profiler::begin(const char* name) {
  if (synchronize_) synchronize_();
  auto found = std::find_if(times_.begin(), times_.end(),
                            [&](const PhaseTime& time) { return time.name == name; });
  if (found == times_.end()) found = times_.insert(times_.end(), {.name = name});
  open_.push_back({static_cast<size_t>(found - times_.begin()), elapsed(), multiplications()});
}

void Profiler::end() {
  if (synchronize_) synchronize_();
  end_now();
}

void Profiler::end_now() noexcept {
  const OpenPhase phase = open_.back();
  open_.pop_back();
  const double seconds = elapsed() - phase.begin;
  const double multiplied = multiplications() - phase.first_multiplication;
  PhaseTime& time = times_[phase.phase];
  time.seconds += seconds - phase.inside;
  time.multiplications += multiplied - phase.multiplications_inside;
  ++time.calls;
  if (!open_.empty()) {
    open_.back().inside += seconds;
    open_.back().multiplications_inside += multiplied;
  }
  if (events_.size() < kMaxEvents) {
    events_.push_back({phase.phase, phase.begin, seconds});
  } else {
    ++dropped_events_;
  }
}

namespace {

std::string floor_text(const PhaseTime& time) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), ", products alone %.3f ms: %.2f times",
                1000 * *time.floor_seconds / static_cast<double>(time.calls),
                time.seconds / *time.floor_seconds);
  return text.data();
}

}  // namespace

std::string Profiler::trace_json() const {
  constexpr double kMicroseconds = 1e6;
  nlohmann::json events = nlohmann::json::array();
  for (const Event& event : events_) {
    events.push_back({{"name", times_[event.phase].name},
                      {"ph", "X"},  // a complete event: begin and duration
                      {"ts", event.begin * kMicroseconds},
                      {"dur", event.seconds * kMicroseconds},
                      {"pid", 1},
                      {"tid", 1}});
  }
  const nlohmann::json trace{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  return trace.dump() + "\n";
}

std::vector<PhaseTime> with_floors(std::vector<PhaseTime> times,
                                   double multiplications_per_second) {
  for (PhaseTime& time : times) {
    if (time.multiplications > 0)
      time.floor_seconds = time.multiplications / multiplications_per_second;
  }
  return times;
}

std::vector<std::string> profile_table(const std::vector<PhaseTime>& times, double wall_seconds) {
  const auto line = [&](const std::string& name, double seconds, int64_t calls) {
    std::array<char, 128> text{};
    std::snprintf(text.data(), text.size(), "%-26s %10.3f s %6.1f %% %9lld calls %10.3f ms each",
                  name.c_str(), seconds, 100 * seconds / wall_seconds,
                  static_cast<long long>(calls),
                  calls > 0 ? 1000 * seconds / static_cast<double>(calls) : 0.0);
    return std::string(text.data());
  };
  std::vector<std::string> lines;
  double rest = wall_seconds;
  for (const PhaseTime& time : times) {
    lines.push_back(line(time.name, time.seconds, time.calls));
    if (time.floor_seconds) lines.back() += floor_text(time);
    rest -= time.seconds;
  }
  lines.push_back(line("between phases", rest, 1));
  return lines;
}

}  // namespace pdl
