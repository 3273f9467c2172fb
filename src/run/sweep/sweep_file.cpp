#include "sweep_file.h"

#include <chrono>
#include <memory>
#include <system_error>
#include <thread>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/folder_lock.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// A shard has it for some milliseconds, or for the second that a page takes.
std::unique_ptr<FolderLock> wait_for_lock(const fs::path& folder) {
  constexpr std::chrono::seconds kPatience(30);
  constexpr std::chrono::milliseconds kPause(5);
  const Clock::time_point begin = Clock::now();
  while (true) {
    try {
      return std::make_unique<FolderLock>(folder);
    } catch (const ConfigError&) {
      if (Clock::now() - begin > kPatience) {
        throw ConfigError("another process holds the lock of output_dir '" + folder.string() +
                          "'; is a run training there? wait for it, or choose another output_dir");
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

SweepRecord read_record(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error) && !error) return {};
  return {read_file<DataError>("file", path), path};
}

}  // namespace

SweepRecord SweepFolder::update(const std::function<void(SweepRecord&)>& change) const {
  const std::unique_ptr<FolderLock> lock = wait_for_lock(path_);
  SweepRecord record = read_record(this->record());
  const std::string before = record.json();
  change(record);
  std::error_code ignored;
  if (record.json() != before || !fs::exists(this->record(), ignored)) {
    remove_temporaries(path_);  // of a process that died
    write_file_durably(this->record(), record.json());
  }
  return record;
}

void SweepFolder::write(const std::function<void()>& write) const {
  const std::unique_ptr<FolderLock> lock = wait_for_lock(path_);
  remove_temporaries(path_);
  write();
}

}  // namespace pdl
