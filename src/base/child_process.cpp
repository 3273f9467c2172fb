#include "pdl/base/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace pdl {
namespace {

constexpr off_t kMaxErrorBytes = 1 << 16;  // of what was printed last
constexpr int kExitNotStarted = 126;       // as a shell has it

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Closes itself.
struct Descriptor {
  int number = -1;
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() { ::close(number); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

// Returns a file in memory with the text.
int file_of(std::string_view text) {
  const int file = ::memfd_create("run.json", MFD_CLOEXEC);
  if (file < 0) fail("cannot make a file in memory");
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      ::close(file);
      fail("cannot write a file in memory");
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return file;
}

// The signals that this process passes on would be lost in its own handlers, which the child has
// until exec().
void drop_handlers() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction inherited {};
    ::sigaction(signal, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) ::signal(signal, SIG_DFL);  // nohup ignores SIGHUP
  }
  ::signal(SIGUSR1, SIG_IGN);  // until there is something to save
}

// Holds all signals back as long as it lives.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~HeldSignals() { release(); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  void release() const { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Between fork and exec only what is safe in a signal handler may be called.
[[noreturn]] void become(const char* program, char* const* arguments, int input, int output,
                         pid_t parent, const HeldSignals& held) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kExitNotStarted);  // it ended before that
  ::setpgid(0, 0);
  const int null_device = ::open("/dev/null", O_WRONLY);
  ::lseek(input, 0, SEEK_SET);
  if (::dup2(input, STDIN_FILENO) < 0 || ::dup2(null_device, STDOUT_FILENO) < 0 ||
      ::dup2(output, STDERR_FILENO) < 0)
    ::_exit(kExitNotStarted);
  ::close(null_device);
  drop_handlers();
  held.release();
  ::execv(program, arguments);
  constexpr std::string_view kMessage = "error: the program cannot start itself\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(kExitNotStarted);
}

// Returns the end of what is in the file.
std::string tail_of(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return "";
  const off_t begin = std::max<off_t>(0, status.st_size - kMaxErrorBytes);
  std::string text(static_cast<size_t>(status.st_size - begin), '\0');
  const ssize_t size = ::pread(file, text.data(), text.size(), begin);
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, size)));
  return text;
}

}  // namespace

ChildProcess::ChildProcess(const ChildCommand& command, const std::filesystem::path& folder)
    : log_(folder) {
  const Descriptor input(file_of(command.input));
  std::vector<std::string> words = {"pdl-train"};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::signal(SIGCHLD, SIG_DFL);  // a process that inherits SIG_IGN is not told how a child ended
  const pid_t parent = ::getpid();
  const HeldSignals held;
  child_ = ::fork();
  if (child_ == 0)
    become(command.program.c_str(), arguments.data(), input.number, log_.descriptor(), parent,
           held);
  if (child_ < 0) fail("cannot start a process");
}

ChildProcess::~ChildProcess() {
  if (exit_code()) return;
  send(SIGTERM);
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::send(int signal) const {
  // Until it is waited for, the number is that of no other process.
  if (!exit_code_) ::kill(child_, signal);
}

std::optional<int> ChildProcess::exit_code() {
  if (exit_code_) return exit_code_;
  int status = 0;
  const pid_t ended = ::waitpid(child_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return std::nullopt;
  if (ended < 0) fail("cannot wait for a process");
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return exit_code_;
}

std::vector<std::string> ChildProcess::last_error() const {
  constexpr std::string_view kMark = "error: ";
  const std::string text = "\n" + tail_of(log_.descriptor());
  const size_t begin = text.rfind("\n" + std::string(kMark));
  std::vector<std::string> lines;
  if (begin == std::string::npos) return lines;
  for (size_t at = begin + 1 + kMark.size(); at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace pdl
