#include "pdl/run/sweep/run_sweep.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "cell_files.h"
#include "pdl/base/child_process.h"
#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/base/text_format.h"
#include "pdl/comparison/bias_sums.h"
#include "pdl/config/load_config.h"
#include "pdl/frequency/bands.h"
#include "pdl/metrics/metrics.h"
#include "pdl/metrics/run_files.h"
#include "sweep_config.h"
#include "sweep_file.h"
#include "sweep_results.h"

namespace pdl {
namespace {

// A run that died while it wrote its last file is complete, and writes that when it is started
// again.
bool is_whole(const RunFolder& run) { return run.is_complete() && run.has_report(); }

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause(20);  // between two looks at the cells
// The processes of a sweep that was killed have let go of their locks by then.
constexpr std::chrono::seconds kPatienceForLocks(10);

bool is_signal_code(int code) {
  return code == 128 + SIGTERM || code == 128 + SIGINT || code == 128 + SIGHUP;
}

// Returns how a cell has ended whose process ended with `code`.
CellRecord outcome_of(const SweepCell& cell, int code, const std::optional<CellSummary>& summary) {
  const std::string status = summary ? summary->status : "";
  if (is_signal_code(code)) return {cell, CellState::kInterrupted, code};
  if (code != 0) return {cell, CellState::kFailed, code};
  if (status == name_of(RunStatus::kTimeLimit)) return {cell, CellState::kTimeLimit, code};
  if (is_finished(status)) return {cell, CellState::kFinished, code};
  return {cell, CellState::kFailed, static_cast<int>(ExitCode::kInternal)};
}

std::string end_line(const CellRecord& record, double seconds,
                     const std::optional<CellSummary>& summary) {
  std::string line =
      record.cell.folder + " " + std::string(name_of(record.state)) + " after " + duration(seconds);
  if (record.state == CellState::kFailed || record.state == CellState::kInterrupted)
    return line + ", exit code " + std::to_string(*record.exit_code);
  if (!summary || !summary->eval_ce) return line;
  line += ": eval ce " + fixed(*summary->eval_ce, 4);
  if (summary->eval_ppl) line += ", ppl " + significant(*summary->eval_ppl, 4);
  if (summary->rare_ce) {
    line += "; ce of targets counted below " + std::to_string(kRareBelow) + ": " +
            fixed(*summary->rare_ce, 4);
  }
  return line;
}

class SweepRun {
 public:
  SweepRun(const SweepOptions& options, RunControl& control);
  // Has the cells that still run save and end.
  ~SweepRun();
  SweepRun(const SweepRun&) = delete;
  SweepRun& operator=(const SweepRun&) = delete;

  SweepResult run();

 private:
  struct RunningCell {
    SweepCell cell;
    std::unique_ptr<ChildProcess> process;
    Clock::time_point begin;
  };

  void plan();
  void show_plan() const;
  void share_cores() const;
  void pass_requests();
  void see_ends();
  void see_end(const RunningCell& ended, int code);
  void begin_cells();
  void begin(const SweepCell& cell);
  bool waits_for_tokens();
  bool waits_for_locks();
  void require_comparable_documents();
  std::optional<SweepCell> take_next();
  bool is_stopping() const {
    return control_.stop_signal() != 0 || (!failures_.empty() && !options_.keep_going);
  }
  RunFolder folder_of(const SweepCell& cell) const {
    return RunFolder(folder_.path() / cell.folder);
  }
  SweepResult result() const;
  [[noreturn]] void throw_failures() const;

  SweepOptions options_;
  RunControl& control_;
  SweepFolder folder_;
  SweepRecord record_;
  size_t num_cells_ = 0;  // of this shard
  size_t num_begun_ = 0;  // those that were finished before included
  std::vector<SweepCell> waiting_;
  std::vector<RunningCell> running_;
  std::vector<CellRecord> failures_;  // in the order of their ends
  std::optional<RunFolder> lender_;   // whose tokens others use
  std::optional<Clock::time_point> locked_since_;
  bool has_seen_documents_ = false;  // of a finished cell; all cells have the same
  bool stop_was_passed_ = false;
};

SweepRun::SweepRun(const SweepOptions& options, RunControl& control)
    : options_(options), control_(control), folder_(options.config.output_dir) {}

SweepRun::~SweepRun() {
  for (const RunningCell& cell : running_) cell.process->send(SIGTERM);
}

// ------------------------------------------------------------------ before the first cell

// Brings the states to what the folders say; `own` cells run in no other process of this sweep.
void refresh(SweepRecord& record, const fs::path& folder, const std::vector<SweepCell>& own) {
  const std::vector<CellRecord> before = record.cells();
  for (const CellRecord& cell : before) {
    const bool is_own =
        std::ranges::any_of(own, [&](const SweepCell& one) { return one.is_same_run(cell.cell); });
    if (is_whole(RunFolder(folder / cell.cell.folder))) {
      record.set({cell.cell, CellState::kFinished, 0});
    } else if (is_own || cell.state == CellState::kFinished) {
      record.set({cell.cell, CellState::kWaiting, std::nullopt});
    }
  }
}

void SweepRun::plan() {
  const std::vector<SweepCell> planned = plan_cells(options_.grid);
  std::vector<SweepCell> own;
  record_ = folder_.update([&](SweepRecord& record) {
    refresh(record, folder_.path(), {});
    own = cells_of_shard(record.add(planned), options_.shard);
    require_two_alphas(record);
    refresh(record, folder_.path(), own);
    options_.config = with_date_of_cells(options_.config, record);
    require_same_config(options_.config, record);
  });
  num_cells_ = own.size();
  for (const SweepCell& cell : own) {
    if (!is_whole(folder_of(cell))) waiting_.push_back(cell);
  }
  num_begun_ = num_cells_ - waiting_.size();
}

void SweepRun::show_plan() const {
  const SweepShard& shard = options_.shard;
  const std::string part = shard.count == 1 ? ""
                                            : " of shard " + std::to_string(shard.index) + "/" +
                                                  std::to_string(shard.count);
  log_info("sweep in " + folder_.path().string() + ": " + std::to_string(num_cells_) + " cells" +
           part + ", " + std::to_string(num_begun_) + " of them finished");
  for (const CellRecord& other : record_.cells()) {
    const bool is_asked_for =
        other.state == CellState::kFinished || other.state == CellState::kWaiting;
    if (is_asked_for || shard.count > 1) continue;  // other shards have theirs
    log_info(other.cell.folder +
             " is not asked for here, and is left as it is: " + std::string(name_of(other.state)));
  }
}

// A thread of OpenMP that waits spins. With more threads than cores it keeps the one it waits for
// from its core: two cells of two threads on two cores took 50 times as long as asleep.
void SweepRun::share_cores() const {
  const int64_t cores = std::thread::hardware_concurrency();
  const int64_t wanted = options_.config.num_threads;
  const int64_t threads = options_.jobs * (wanted == 0 ? cores : wanted);
  if (options_.jobs == 1 || threads <= cores) return;
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);  // the cells inherit it
  log_warning(std::to_string(options_.jobs) + " cells at a time have " + std::to_string(threads) +
              " threads on " + std::to_string(cores) + " cores; num_threads " +
              std::to_string(std::max<int64_t>(1, cores / options_.jobs)) + " fits");
}

// ------------------------------------------------------------------ while cells run

void SweepRun::pass_requests() {
  if (control_.take_save_request()) {
    for (const RunningCell& cell : running_) cell.process->send(SIGUSR1);
  }
  const int signal = control_.stop_signal();
  if (signal == 0 || stop_was_passed_) return;
  stop_was_passed_ = true;
  for (const RunningCell& cell : running_) cell.process->send(signal);
  log_info("stopping: " + std::to_string(running_.size()) + " running cells save and end");
}

void SweepRun::see_ends() {
  for (size_t i = 0; i < running_.size();) {
    const std::optional<int> code = running_[i].process->exit_code();
    if (!code) {
      ++i;
      continue;
    }
    const RunningCell ended = std::move(running_[i]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    see_end(ended, *code);
  }
}

void SweepRun::see_end(const RunningCell& ended, int code) {
  const std::chrono::duration<double> seconds = Clock::now() - ended.begin;
  const std::optional<CellSummary> summary = read_cell_summary(folder_of(ended.cell));
  const CellRecord record = outcome_of(ended.cell, code, summary);
  for (const std::string& line : ended.process->last_error())
    log_warning(ended.cell.folder + ": " + line);
  log_info(end_line(record, seconds.count(), summary));
  if (record.exit_code != 0) failures_.push_back(record);
  record_ = folder_.update([&](SweepRecord& shared) { shared.set(record); });
}

// So that the cells after the first find its tokens.
bool SweepRun::waits_for_tokens() {
  if (lender_ && has_tokens(*lender_)) return false;
  lender_.reset();
  for (const CellRecord& cell : record_.cells()) {
    const RunFolder folder = folder_of(cell.cell);
    if (!has_tokens(folder)) continue;
    lender_ = folder;
    return false;
  }
  std::error_code ignored;
  return std::ranges::any_of(running_, [&](const RunningCell& cell) {
    return !fs::exists(folder_of(cell.cell).metrics(), ignored);
  });
}

// Before more is trained that could not be compared.
void SweepRun::require_comparable_documents() {
  if (has_seen_documents_) return;
  const auto finished =
      std::ranges::find(record_.cells(), CellState::kFinished, &CellRecord::state);
  if (finished == record_.cells().end()) return;
  try {
    require_two_halves(folder_of(finished->cell).path());
  } catch (const DataError& problem) {
    throw DataError("no further cell begins: " + std::string(problem.what()) +
                    ", in another output_dir");
  }
  has_seen_documents_ = true;
}

// Returns the first cell that no other process trains.
std::optional<SweepCell> SweepRun::take_next() {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    if (is_locked(folder_of(waiting_[i]).path())) continue;
    SweepCell cell = waiting_[i];
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    return cell;
  }
  return std::nullopt;
}

void SweepRun::begin_cells() {
  while (!is_stopping() && !waiting_.empty() && std::ssize(running_) < options_.jobs &&
         !waits_for_tokens()) {
    require_comparable_documents();
    const std::optional<SweepCell> cell = take_next();
    if (!cell) return;
    locked_since_.reset();
    ++num_begun_;
    if (is_whole(folder_of(*cell))) {  // by another process meanwhile
      record_ = folder_.update([&](SweepRecord& shared) {
        shared.set({*cell, CellState::kFinished, 0});
      });
    } else {
      begin(*cell);
    }
  }
}

void SweepRun::begin(const SweepCell& cell) {
  const RunConfig config = cell_config(options_.config, cell);
  if (lender_) lend_tokens(*lender_, folder_of(cell));
  record_ = folder_.update([&](SweepRecord& shared) {
    shared.set({cell, CellState::kRunning, std::nullopt});
  });
  // The config as it is now: run.json may change while the sweep goes on. The folder is in it; as
  // an argument it tells in a list of processes which cell this is.
  const ChildCommand command{
      .program = options_.program,
      .arguments = {"train", "--config", "/dev/stdin", "--output_dir", config.output_dir.string()},
      .input = config_to_json(config)};
  running_.push_back({cell, std::make_unique<ChildProcess>(command, folder_.path()), Clock::now()});
  log_info(cell.folder + " begins, " + std::to_string(num_begun_) + " of " +
           std::to_string(num_cells_));
}

bool SweepRun::waits_for_locks() {
  if (is_stopping() || waiting_.empty()) return false;
  if (!locked_since_) locked_since_ = Clock::now();
  return Clock::now() - *locked_since_ < kPatienceForLocks;
}

SweepResult SweepRun::run() {
  plan();
  show_plan();
  share_cores();
  control_.begin();
  while (true) {
    pass_requests();
    see_ends();
    begin_cells();
    if (running_.empty() && !waits_for_locks()) return result();
    std::this_thread::sleep_for(kPause);
  }
}

// ------------------------------------------------------------------ the end

void SweepRun::throw_failures() const {
  const auto worst = std::ranges::max_element(
      failures_, {}, [](const CellRecord& record) { return *record.exit_code; });
  const RunFolder folder = folder_of(worst->cell);
  std::error_code ignored;
  const std::string log = fs::exists(folder.log(), ignored)
                              ? "; its log is '" + folder.log().filename().string() + "' there"
                              : "";
  const std::string others =
      failures_.size() == 1 ? "" : std::to_string(failures_.size()) + " cells failed; ";
  throw Error(static_cast<ExitCode>(*worst->exit_code),
              others + "cell '" + folder.path().string() + "' ended with exit code " +
                  std::to_string(*worst->exit_code) + log +
                  "; the same command again goes on with what is not finished");
}

SweepResult SweepRun::result() const {
  const int signal = control_.stop_signal();
  if (signal != 0) {
    log_info("stopped; the same command again goes on");
    return {exit_code_of_signal(signal), std::nullopt};
  }
  if (!failures_.empty()) throw_failures();
  if (!waiting_.empty()) {
    throw ConfigError("another process trains in cell '" + folder_of(waiting_[0]).path().string() +
                      "'; wait for it, then give the same command again");
  }
  const auto unfinished = std::ranges::count_if(
      record_.cells(), [](const CellRecord& cell) { return cell.state != CellState::kFinished; });
  if (unfinished == 0) return {ExitCode::kOk, write_sweep_results(folder_, record_)};
  log_info(std::to_string(unfinished) +
           " cells of the sweep are not finished, so nothing is compared yet");
  return {};
}

}  // namespace

SweepResult run_sweep(const SweepOptions& options, RunControl& control) {
  require_sweepable(options.config);
  return SweepRun(options, control).run();
}

}  // namespace pdl
