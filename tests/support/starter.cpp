// Starts the program many times at the price of one: LibTorch is loaded once, and each start is a
// fork of this process. For tests alone; from main() on, a start does what the program does.
//
// A request on stdin is a 32-bit number of bytes and as many bytes: strings that each end in a
// zero, namely folder, file for stdout, file for stderr, and the arguments. The answer on stdout is
// two lines: the process id at once, and at the end wait status, microseconds of CPU and the peak
// of resident memory in KiB.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cli/app.h"

namespace {

bool read_exactly(void* to, size_t size) { return std::fread(to, 1, size, stdin) == size; }

bool read_request(std::vector<std::string>& strings) {
  uint32_t size = 0;
  if (!read_exactly(&size, sizeof size)) return false;
  std::string bytes(size, '\0');
  if (!read_exactly(bytes.data(), size)) return false;
  strings.clear();
  for (size_t at = 0; at < bytes.size(); at += strings.back().size() + 1) {
    strings.emplace_back(bytes.c_str() + at);
  }
  return strings.size() >= 3;
}

void redirect(const char* file, int flags, int descriptor) {
  const int opened = ::open(file, flags, 0600);
  if (opened < 0) std::_Exit(125);
  ::dup2(opened, descriptor);
  ::close(opened);
}

[[noreturn]] void start(std::vector<std::string>& strings) {
  if (::chdir(strings[0].c_str()) != 0) std::_Exit(125);
  redirect("/dev/null", O_RDONLY, STDIN_FILENO);
  redirect(strings[1].c_str(), O_WRONLY | O_CREAT, STDOUT_FILENO);
  redirect(strings[2].c_str(), O_WRONLY | O_CREAT, STDERR_FILENO);
  strings[2] = "pdl-train";
  std::vector<char*> arguments;
  for (size_t i = 2; i < strings.size(); ++i) arguments.push_back(strings[i].data());
  const auto count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  const int code = pdl::run_program(count, arguments.data());
  std::fflush(nullptr);
  std::_Exit(code);  // skips LibTorch's cleanup, which takes a fifth of a second
}

}  // namespace

int main() {
  std::vector<std::string> strings;
  while (read_request(strings)) {
    const pid_t child = ::fork();
    if (child == 0) start(strings);
    std::printf("%d\n", child);
    std::fflush(stdout);
    if (child < 0) return 1;
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    const auto microseconds = [](const timeval& time) {
      return static_cast<long long>(time.tv_sec) * 1'000'000 + time.tv_usec;
    };
    std::printf("%d %lld %ld\n", status,
                microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss);
    std::fflush(stdout);
  }
  return 0;
}
