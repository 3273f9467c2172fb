#include "pdl/run/resume/find_checkpoint.h"

#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/folder_lock.h"
#include "pdl/base/log.h"
#include "pdl/checkpoint/checkpoint.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// An empty folder still holds the lock of this process.
bool has_content(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename() != FolderLock::kFileName) return true;
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw StorageError("cannot read folder '" + folder.string() + "': " + error.message());
  return false;
}

std::optional<fs::path> newest_undamaged(const fs::path& output_dir) {
  const auto checkpoints = list_checkpoints(output_dir);
  std::string damage;  // of all newer ones
  for (auto candidate = checkpoints.rbegin(); candidate != checkpoints.rend(); ++candidate) {
    const fs::path& folder = candidate->second;
    const std::string found = find_damage(folder);
    if (found.empty()) {
      if (!damage.empty())
        log_warning(damage + "; going on from '" + folder.string() + "' instead");
      return folder;
    }
    damage += (damage.empty() ? "'" : "; '") + folder.string() + "' is damaged: " + found;
  }
  if (checkpoints.empty()) return std::nullopt;
  throw CheckpointError("no valid checkpoint in '" + output_dir.string() + "': " + damage +
                        "; move the damaged folders away to start anew");
}

void warn_of_newer(const fs::path& output_dir, const fs::path& checkpoint) {
  const int64_t step = load_trainer_state(checkpoint).first.step;
  const auto checkpoints = list_checkpoints(output_dir);
  if (checkpoints.empty() || checkpoints.back().first <= step) return;
  log_warning("going back to step " + std::to_string(step) + ", before '" +
              checkpoints.back().second.string() +
              "': until this run has passed that step, resume_from_checkpoint \"auto\" would go on "
              "from there; move it away if that is not wanted");
}

}  // namespace

std::optional<fs::path> find_checkpoint(const RunConfig& config) {
  const std::string& wanted = config.checkpoint.resume_from_checkpoint;
  if (wanted == "auto") return newest_undamaged(config.output_dir);
  if (wanted == "never") {
    if (has_content(config.output_dir)) {
      throw ConfigError("resume_from_checkpoint is \"never\" and output_dir '" +
                        config.output_dir.string() + "' is not empty; choose another output_dir");
    }
    return std::nullopt;
  }
  const std::string damage = find_damage(wanted);
  if (!damage.empty()) throw CheckpointError("cannot resume from '" + wanted + "': " + damage);
  warn_of_newer(config.output_dir, wanted);
  return wanted;
}

}  // namespace pdl
