// A child process that ends with this process, however that ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pdl/base/unnamed_file.h"

namespace pdl {

// How to start a child process.
struct ChildCommand {
  std::filesystem::path program;
  std::vector<std::string> arguments;  // after its name, which is pdl-train
  std::string input;                   // what it finds on stdin, which is a file
};

// Runs a program beside this one. Asked from one thread alone.
class ChildProcess {
 public:
  // Starts the process in a process group of its own, so that Ctrl-C reaches it through this
  // process alone. Its stdout is dropped; its stderr goes to a file without a name in `folder`. To
  // be called by the main thread: the child is killed when the thread that started it ends. Throws
  // StorageError, and std::system_error if no process can be started.
  ChildProcess(const ChildCommand& command, const std::filesystem::path& folder);
  // Asks a process that still runs to save and end, and waits for it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Sends a signal, unless the process has ended.
  void send(int signal) const;

  // Returns the exit code once the process has ended, 128 + N after signal N; does not wait.
  std::optional<int> exit_code();

  // Returns the last error that the process has printed, a line or more without "error: "; empty
  // if there is none.
  std::vector<std::string> last_error() const;

 private:
  UnnamedFile log_;
  pid_t child_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace pdl
