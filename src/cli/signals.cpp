#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

namespace pdl {
namespace {

// The only objects that handlers may touch.
std::atomic<bool> run_can_stop = false;
std::atomic<int> received_signal = 0;
std::atomic<bool> save_wanted = false;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void end_now(int signal) {
  constexpr std::string_view kMessage =
      "pdl-train: stopped at once; the next start goes on from the "
      "newest checkpoint, if there is one\n";
  // Nothing can be done about a failure here.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(exit_code_of_signal(signal)));
}

void on_stop(int signal) {
  const bool is_second = received_signal.exchange(signal) != 0;
  if (is_second || !run_can_stop) end_now(signal);
}

void on_save(int) { save_wanted = true; }

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void handle_signals() {
  set_handler(SIGTERM, on_stop);
  set_handler(SIGINT, on_stop);
  struct sigaction inherited {};
  ::sigaction(SIGHUP, nullptr, &inherited);
  if (inherited.sa_handler != SIG_IGN) set_handler(SIGHUP, on_stop);  // nohup ignores it
  set_handler(SIGUSR1, on_save);
  set_handler(SIGPIPE, SIG_IGN);
}

ProcessControl::ProcessControl(std::chrono::steady_clock::time_point start, double max_minutes)
    : start_(start), max_minutes_(max_minutes) {}

void ProcessControl::begin() { run_can_stop = true; }

bool ProcessControl::stop_requested() {
  if (stop_signal() != 0) return true;
  const std::chrono::duration<double, std::ratio<60>> minutes =
      std::chrono::steady_clock::now() - start_;
  return max_minutes_ > 0 && minutes.count() >= max_minutes_;
}

bool ProcessControl::take_save_request() { return save_wanted.exchange(false); }

int ProcessControl::stop_signal() const { return received_signal; }

}  // namespace pdl
