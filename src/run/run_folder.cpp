#include "pdl/run/run_folder.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"
#include "pdl/checkpoint/checkpoint.h"

namespace pdl {

namespace fs = std::filesystem;

void RunFolder::remove_unfinished() const {
  for (const fs::path& folder : {path_, cache()}) remove_temporaries(folder);
}

std::vector<fs::path> RunFolder::absent() const {
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (const fs::path& path :
       {config(), metrics(), samples(), summary(), log(), tensorboard(), cache(), frequency()}) {
    if (!fs::exists(path, ignored)) paths.push_back(path);
  }
  return paths;
}

bool RunFolder::is_complete() const {
  const JsonBlame blame = JsonBlame::of<StorageError>("summary.json cannot be used: ");
  try {
    const JsonValue value =
        parse_json(read_file<StorageError>("file", summary()), JsonRules{}, blame);
    return is_finished(ObjectReader(value, blame).string("status"));
  } catch (const StorageError&) {
    return false;
  }
}

bool RunFolder::has_report() const {
  std::error_code ignored;
  return fs::exists(report(), ignored);
}

void RunFolder::require_own(std::vector<std::string> model_files) const {
  std::error_code error;
  if (fs::exists(frequency(), error)) return;
  model_files.push_back(config().filename().string());
  for (const std::string& file : model_files) {
    if (!fs::exists(path_ / file, error)) continue;
    throw ConfigError("output_dir '" + path_.string() + "' has a file or folder '" + file +
                      "' that is of no run and would be replaced; choose another output_dir");
  }
}

void RunFolder::require_space(int64_t checkpoint_bytes) const {
  const int64_t kept = std::min<int64_t>(1, std::ssize(list_checkpoints(path_)));
  const int64_t needed = (2 - kept) * checkpoint_bytes;
  const int64_t available = free_bytes(existing_folder());
  if (available >= needed) return;
  throw StorageError("output_dir '" + path_.string() + "' has " + std::to_string(available) +
                     " bytes of free space, and checkpoints will need " + std::to_string(needed) +
                     "; make room, or choose another output_dir");
}

void RunFolder::try_writing() const {
  DurableFile(existing_folder() / ".pdl-train-check").write("pdl-train check\n");
}

fs::path RunFolder::existing_folder() const {
  std::error_code error;
  fs::path folder = path_;
  fs::file_status status = fs::status(folder, error);
  while (status.type() == fs::file_type::not_found && folder.has_relative_path()) {
    folder = folder.parent_path();
    status = fs::status(folder, error);
  }
  if (fs::is_directory(status)) return folder;
  const std::string reason = status.type() == fs::file_type::none ? error.message() : "no folder";
  throw StorageError("output_dir '" + path_.string() + "' cannot be made: '" + folder.string() +
                     "': " + reason);
}

}  // namespace pdl
