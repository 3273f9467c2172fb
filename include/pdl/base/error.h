// Errors by blame. Each class carries the exit code of the program (docs/runs.md, "Exit codes");
// main() turns an error into one line `error: …` and that code. A message says what, which value,
// which file and line, and what to do next.
#pragma once

#include <stdexcept>
#include <string>

namespace pdl {

// The exit code of the process: what is to blame. A run that signal N has stopped ends with 128 +
// N.
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,
  kConfig = 2,
  kData = 3,
  kModel = 4,
  kCheckpoint = 5,
  kStorage = 6,
  kDiverged = 7,
  kDistributed = 9,
  kOutOfMemory = 10,
};

// A failure with a message for the user, one line if not said otherwise. The classes below say what
// is to blame; Error itself, with kInternal, is a mistake of this program.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  // That of the process if nobody handles the error.
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// The run.json, a flag or the usage is wrong. `message` may have more lines, one for each further
// key.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& message) : Error(ExitCode::kConfig, message) {}
};

// A corpus, a frequency table or a token id is missing, unreadable or malformed.
class DataError : public Error {
 public:
  explicit DataError(const std::string& message) : Error(ExitCode::kData, message) {}
};

// The TorchScript file or the tokenizer cannot be used.
class ModelError : public Error {
 public:
  explicit ModelError(const std::string& message) : Error(ExitCode::kModel, message) {}
};

// A checkpoint is needed, and there is none or a damaged one.
class CheckpointError : public Error {
 public:
  explicit CheckpointError(const std::string& message) : Error(ExitCode::kCheckpoint, message) {}
};

// The operating system refused to write.
class StorageError : public Error {
 public:
  explicit StorageError(const std::string& message) : Error(ExitCode::kStorage, message) {}
};

// The loss or the gradient stayed non-finite.
class NumericError : public Error {
 public:
  explicit NumericError(const std::string& message) : Error(ExitCode::kDiverged, message) {}
};

}  // namespace pdl
