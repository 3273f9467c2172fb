#include "cell_files.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/folder_lock.h"
#include "pdl/base/json.h"
#include "pdl/frequency/bands.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

std::optional<double> number_or_nothing(ObjectReader& reader, std::string_view key) {
  if (reader.find(key) == nullptr) return std::nullopt;
  return reader.number(key);
}

std::optional<double> read_rare_ce(ObjectReader bands) {
  double sum = 0;
  int64_t tokens = 0;
  for (const FrequencyBand& band : kFrequencyBands) {
    if (!is_rare(band)) continue;
    ObjectReader figures = bands.object(band.name);
    const int64_t of_band = figures.integer("tokens", 0);
    if (of_band == 0) continue;
    sum += static_cast<double>(of_band) * figures.number("ce");
    tokens += of_band;
  }
  if (tokens == 0) return std::nullopt;
  return sum / static_cast<double>(tokens);
}

// Sorted, so that nothing depends on the order of the file system.
std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kTemporaryPrefix))
      files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The copy is there as a whole or not at all, even after a power cut.
void copy_if_possible(const fs::path& file, const fs::path& target) {
  const std::string name = std::string(kTemporaryPrefix) + target.filename().string();
  const fs::path temporary = target.parent_path() / name;
  std::error_code error;
  if (!fs::copy_file(file, temporary, fs::copy_options::overwrite_existing, error)) return;
  try {
    sync_file(temporary);
    rename_durably(temporary, target);
  } catch (const StorageError&) {
    fs::remove(temporary, error);
  }
}

}  // namespace

std::optional<CellSummary> read_cell_summary(const RunFolder& folder) {
  const JsonBlame blame = JsonBlame::of<DataError>("summary.json cannot be used: ");
  try {
    const JsonValue value =
        parse_json(read_file<DataError>("file", folder.summary()), JsonRules{}, blame);
    ObjectReader root(value, blame);
    CellSummary summary;
    summary.status = root.string("status");
    ObjectReader last = root.object("final");
    summary.eval_ce = number_or_nothing(last, "eval_ce");
    summary.eval_ppl = number_or_nothing(last, "eval_ppl");
    if (last.has("eval_bands")) summary.rare_ce = read_rare_ce(last.object("eval_bands"));
    return summary;
  } catch (const DataError&) {
    return std::nullopt;
  }
}

bool is_locked(const fs::path& folder) {
  std::error_code ignored;
  // A killed process has left the file, so only the lock itself tells. Without the file nobody has
  // it, and nobody's start is disturbed.
  if (!fs::exists(folder / FolderLock::kFileName, ignored)) return false;
  try {
    const FolderLock lock(folder);
    return false;
  } catch (const ConfigError&) {
    return true;
  }
}

bool has_tokens(const RunFolder& folder) {
  std::error_code ignored;
  // A run begins its metrics after it has kept what it tokenized and counted.
  return fs::exists(folder.metrics(), ignored) && !files_of(folder.cache()).empty();
}

void lend_tokens(const RunFolder& from, const RunFolder& to) {
  std::error_code error;
  if (fs::equivalent(from.path(), to.path(), error)) return;
  make_folder(to.cache());
  for (const fs::path& file : files_of(from.cache())) {
    const fs::path target = to.cache() / file.filename();
    if (fs::exists(target, error)) continue;
    fs::create_hard_link(file, target, error);
    if (error) copy_if_possible(file, target);
  }
}

}  // namespace pdl
