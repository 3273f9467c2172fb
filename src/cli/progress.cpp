#include "cli/progress.h"

#include <chrono>
#include <memory>

#include "pdl/base/log.h"
#include "pdl/base/text_format.h"

namespace pdl {
namespace {

using Clock = std::chrono::steady_clock;

class CorpusProgress {
 public:
  explicit CorpusProgress(std::string what) : what_(std::move(what)) {}
  ~CorpusProgress() { show_progress(""); }
  CorpusProgress(const CorpusProgress&) = delete;
  CorpusProgress& operator=(const CorpusProgress&) = delete;

  void show(int64_t bytes, int64_t total_bytes) {
    constexpr std::chrono::milliseconds kInterval(200);
    const Clock::time_point now = Clock::now();
    if (now - last_ < kInterval) return;
    last_ = now;
    const double megabytes = static_cast<double>(bytes) / 1e6;
    const double total = static_cast<double>(total_bytes) / 1e6;
    const double rate = megabytes / std::chrono::duration<double>(now - start_).count();
    const bool has_total = total_bytes > 0;
    show_progress(what_ + ": " + fixed(megabytes, 0) + (has_total ? " of " + fixed(total, 0) : "") +
                  " MB, " + fixed(rate, 0) + " MB/s" +
                  (has_total ? ", " + duration((total - megabytes) / rate) + " left" : ""));
  }

 private:
  std::string what_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace

std::function<void(int64_t bytes, int64_t total_bytes)> corpus_progress(const std::string& what) {
  if (!progress_is_visible()) return {};
  const auto progress = std::make_shared<CorpusProgress>(what);
  return [progress](int64_t bytes, int64_t total_bytes) { progress->show(bytes, total_bytes); };
}

}  // namespace pdl
