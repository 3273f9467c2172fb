#include "cli/report_error.h"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/base/unicode.h"
#include "pdl/model/torch_error.h"

namespace pdl {
namespace {

// Returns one line of at most 300 bytes with "error: ". A longer message loses its middle, usually
// a part of a long path, because the end says what to do. Control characters, which a path may
// hold, are escaped.
std::string one_line(const std::string& message) {
  constexpr size_t kMaxBytes = 288;
  std::string line = printable(message, SIZE_MAX);
  if (line.size() <= kMaxBytes) return line;
  const auto begins_character = [&](size_t at) {
    return (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
  };
  size_t head = kMaxBytes / 2;
  while (!begins_character(head)) --head;
  size_t tail = line.size() - kMaxBytes / 2;
  while (!begins_character(tail)) ++tail;
  return line.substr(0, head) + "…" + line.substr(tail);
}

int report(ExitCode code, const std::string& message) {
  show_progress("");
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return static_cast<int>(code);
}

// A config with several problems has an indented line for each. The loader has escaped the user's
// text.
int report_config_error(const ConfigError& problem) {
  const std::string message = problem.what();
  const size_t second_line = message.find('\n');
  const bool is_list = second_line != std::string::npos && message.find("\n  ") == second_line;
  return report(problem.code(), is_list ? message : one_line(message));
}

constexpr std::string_view kMemoryAdvice =
    "; give it more or, for a job, lower per_device_train_batch_size (and raise "
    "gradient_accumulation_steps) or max_length";

// Asks for no memory itself: the runtime may give up where there is none.
int report_bad_alloc() {
  const std::string_view clear = progress_is_visible() ? "\r\x1b[K" : "";
  for (const std::string_view piece : {clear,
                                       std::string_view("error: out of memory: the system "
                                                        "gives no more"),
                                       kMemoryAdvice, std::string_view("\n")}) {
    // Nothing can be done about a failure here.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, piece.data(), piece.size());
  }
  return static_cast<int>(ExitCode::kOutOfMemory);
}

int report_out_of_memory(const std::exception& problem) {
  std::string what = torch_message(problem);  // LibTorch says how much memory was requested
  if (dynamic_cast<const std::system_error*>(&problem) != nullptr) {
    what = "no thread or process can be started (" + what + ")";
  }
  return report(ExitCode::kOutOfMemory, "out of memory: " + what + std::string(kMemoryAdvice));
}

}  // namespace

int report_error(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const ConfigError& problem) {
    return report_config_error(problem);
  } catch (const Error& problem) {
    return report(problem.code(), one_line(problem.what()));
  } catch (const std::bad_alloc&) {
    return report_bad_alloc();
  } catch (const std::exception& problem) {
    if (is_out_of_memory(problem)) return report_out_of_memory(problem);
    return report(ExitCode::kInternal, "unexpected: " + torch_message(problem));
  } catch (...) {
    return report(ExitCode::kInternal, "unexpected: something that is no std::exception");
  }
}

}  // namespace pdl
