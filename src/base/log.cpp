#include "pdl/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr const char* kPattern = "%Y-%m-%d %H:%M:%S %l: %v";

// One log per process, because stderr belongs to the process too.
class Log {
 public:
  static Log& instance() {
    static Log log;
    return log;
  }

  void write(spdlog::level::level_enum level, std::string_view line) {
    const std::lock_guard lock(mutex_);
    clear_progress();
    terminal_->log(message(level, line));
    terminal_->flush();
    if (file_) {
      write_to_file(level, line);
    } else if (!was_open_) {
      early_lines_.emplace_back(level, line);
    }
    draw_progress();
  }

  void open_file(const std::filesystem::path& path) {
    const std::lock_guard lock(mutex_);
    try {
      file_ = std::make_shared<spdlog::sinks::basic_file_sink_st>(path.string(), false);
      file_->set_pattern(kPattern);
      for (const auto& [level, line] : early_lines_) file_->log(message(level, line));
      file_->flush();
      was_open_ = true;
    } catch (const spdlog::spdlog_ex& problem) {
      throw StorageError("cannot write the log: " + std::string(problem.what()));
    }
    early_lines_.clear();
  }

  void progress(std::string_view line) {
    if (!progress_is_visible()) return;
    const std::lock_guard lock(mutex_);
    clear_progress();
    progress_ = printable(line, SIZE_MAX);
    draw_progress();
  }

 private:
  void write_to_file(spdlog::level::level_enum level, std::string_view line) {
    try {
      file_->log(message(level, line));
      file_->flush();
    } catch (const spdlog::spdlog_ex& problem) {
      // A failing log file must not end the run: its lines are on stderr too.
      file_ = nullptr;
      terminal_->log(message(
          spdlog::level::warn,
          "train.log ends here, the lines go on on stderr: " + std::string(problem.what())));
    }
  }

  Log() : terminal_(std::make_shared<spdlog::sinks::stderr_sink_st>()) {
    terminal_->set_pattern(kPattern);
  }

  static spdlog::details::log_msg message(spdlog::level::level_enum level, std::string_view line) {
    return {spdlog::string_view_t("pdl-train"), level,
            spdlog::string_view_t(line.data(), line.size())};
  }

  void clear_progress() const {
    if (!progress_.empty()) std::fputs("\r\x1b[K", stderr);
  }

  void draw_progress() const {
    if (progress_.empty()) return;
    std::fputs(progress_.c_str(), stderr);
    std::fflush(stderr);
  }

  std::mutex mutex_;
  std::shared_ptr<spdlog::sinks::stderr_sink_st> terminal_;
  std::shared_ptr<spdlog::sinks::basic_file_sink_st> file_;
  bool was_open_ = false;  // a file that failed is not opened again
  std::vector<std::pair<spdlog::level::level_enum, std::string>> early_lines_;  // before it is open
  std::string progress_;
};

}  // namespace

void log_info(std::string_view line) {
  Log::instance().write(spdlog::level::info, printable(line, SIZE_MAX));
}
void log_warning(std::string_view line) {
  Log::instance().write(spdlog::level::warn, printable(line, SIZE_MAX));
}
void open_log_file(const std::filesystem::path& path) { Log::instance().open_file(path); }
void show_progress(std::string_view line) { Log::instance().progress(line); }
bool progress_is_visible() { return ::isatty(STDERR_FILENO) == 1; }

}  // namespace pdl
