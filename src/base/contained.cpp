#include "pdl/base/contained.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <new>
#include <system_error>

#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr size_t kMaxMessageBytes = 200;

// Codes that a library which ends the process is not likely to choose.
enum ChildExit : int { kReturned = 91, kThrew = 92, kNoMemory = 93 };

// Does not wait for more than the first read gives, up to some hundred bytes.
std::string receive(int descriptor) {
  std::array<char, 2 * kMaxMessageBytes> buffer{};
  ssize_t size = 0;
  do {
    size = ::read(descriptor, buffer.data(), buffer.size());
  } while (size < 0 && errno == EINTR);
  return {buffer.data(), size > 0 ? static_cast<size_t>(size) : 0};
}

// Returns 0 where the system does not tell.
int64_t address_space_bytes() {
  const int descriptor = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  const std::string text = receive(descriptor);
  ::close(descriptor);
  int64_t pages = 0;
  std::from_chars(text.data(), text.data() + text.size(), pages);
  return pages * ::sysconf(_SC_PAGESIZE);
}

// Never more than this process has: the child could not set a higher limit.
rlim_t address_space_limit(int64_t max_more_bytes) {
  const int64_t now = address_space_bytes();
  rlimit own{};
  ::getrlimit(RLIMIT_AS, &own);
  if (now == 0) return own.rlim_cur;
  return std::min(own.rlim_cur, static_cast<rlim_t>(now + max_more_bytes));
}

void lower_limit(__rlimit_resource_t resource, rlim_t value) {
  rlimit both{};
  ::getrlimit(resource, &both);
  both.rlim_cur = std::min(value, both.rlim_cur);
  ::setrlimit(resource, &both);
}

void send(int descriptor, const std::string& text) {
  const std::string message = printable(text, kMaxMessageBytes);
  // Fits in the pipe, so that the child never waits.
  [[maybe_unused]] const ssize_t sent = ::write(descriptor, message.data(), message.size());
}

[[noreturn]] void run_child(const std::function<std::string()>& work, int descriptor,
                            rlim_t max_bytes, const ContainedLimits& limits) {
  const int null_device = ::open("/dev/null", O_WRONLY);
  ::dup2(null_device, STDOUT_FILENO);
  ::dup2(null_device, STDERR_FILENO);
  lower_limit(RLIMIT_CORE, 0);
  lower_limit(RLIMIT_CPU, static_cast<rlim_t>(limits.max_cpu_seconds));
  lower_limit(RLIMIT_AS, max_bytes);
  int code = kReturned;
  try {
    send(descriptor, work());
  } catch (const std::bad_alloc&) {
    code = kNoMemory;
  } catch (const std::exception& problem) {
    code = kThrew;
    send(descriptor, problem.what());
  } catch (...) {
    code = kThrew;
  }
  ::_exit(code);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

std::string run_contained(const std::function<std::string()>& work, const ContainedLimits& limits) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  const rlim_t max_bytes = address_space_limit(limits.max_bytes);
  rlimit own{};
  ::getrlimit(RLIMIT_AS, &own);
  const pid_t child = ::fork();
  const int fork_error = errno;
  if (child == 0) run_child(work, pipe[1], max_bytes, limits);
  ::close(pipe[1]);
  if (child < 0) {
    ::close(pipe[0]);
    if (fork_error == ENOMEM) throw std::bad_alloc();
    throw std::system_error(fork_error, std::generic_category(), "cannot start a process");
  }
  const int status = wait_for(child);
  const std::string message = receive(pipe[0]);
  ::close(pipe[0]);
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGXCPU) {
      return "it takes more than " + std::to_string(limits.max_cpu_seconds) + " s";
    }
    return std::string("it ends with \"") + ::strsignal(WTERMSIG(status)) + "\"";
  }
  if (WEXITSTATUS(status) == kReturned) return message;
  if (WEXITSTATUS(status) == kNoMemory) {
    if (max_bytes == own.rlim_cur) throw std::bad_alloc();
    return "it needs more than " + std::to_string(limits.max_bytes >> 20) + " MiB of memory";
  }
  if (WEXITSTATUS(status) == kThrew && !message.empty()) return message;
  return "it ends in an unknown error";
}

}  // namespace pdl
