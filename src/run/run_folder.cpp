#include "pdl/run/run_folder.h"

#include <algorithm>
#include <string>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/checkpoint/checkpoint.h"

namespace pdl {

namespace fs = std::filesystem;

void RunFolder::remove_unfinished() const {
  for (const fs::path& folder : {path_, cache()}) remove_temporaries(folder);
}

void RunFolder::require_space(int64_t checkpoint_bytes) const {
  // Two, because an older checkpoint is removed only when a newer one is complete.
  const int64_t kept = std::min<int64_t>(1, std::ssize(list_checkpoints(path_)));
  const int64_t needed = (2 - kept) * checkpoint_bytes;
  const int64_t available = free_bytes(path_);
  if (available >= needed) return;
  throw StorageError("output_dir '" + path_.string() + "' has " + std::to_string(available) +
                     " bytes of free space, and checkpoints will need " + std::to_string(needed) +
                     "; make room, or choose another output_dir");
}

void RunFolder::try_writing() const {
  fs::path folder = path_;
  while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder)) {
    throw StorageError("output_dir '" + path_.string() + "' cannot be made: '" + folder.string() +
                       "' is no folder");
  }
  DurableFile(folder / ".pdl-train-check").write("pdl-train check\n");
}

}  // namespace pdl
