#include "pdl/checkpoint/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/checkpoint/tensor_file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kFolderPrefix = "checkpoint-";
constexpr std::string_view kUnfinishedPrefix = ".tmp-";
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "trainer_state.json";
constexpr const char* kManifestFile = "MANIFEST.json";
constexpr std::array<const char*, 3> kListedFiles = {kModelFile, kOptimizerFile, kStateFile};
constexpr const char* kFormat = "pdl-checkpoint";
constexpr int kVersion = 1;
constexpr int64_t kMaxStateBytes = int64_t{1} << 26;

void remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) throw StorageError("cannot remove '" + folder.string() + "': " + error.message());
}

// Size and hash of a file as the manifest holds them; `problem` receives why it cannot be read.
json describe(const fs::path& path, std::string& problem) {
  Sha256 hash;
  int64_t size = 0;
  problem = try_read_pieces(path, [&](std::string_view bytes) {
    hash.update(bytes);
    size += static_cast<int64_t>(bytes.size());
  });
  return {{"size", size}, {"sha256", hash.finish()}};
}

void write_manifest(const fs::path& folder) {
  json manifest = {{"format", kFormat}, {"version", kVersion}, {"files", json::object()}};
  for (const char* name : kListedFiles) {
    std::string problem;
    manifest["files"][name] = describe(folder / name, problem);
    if (!problem.empty()) throw StorageError("'" + (folder / name).string() + "' " + problem);
  }
  write_file_durably(folder / kManifestFile, manifest.dump(1) + "\n");
}

int64_t step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(kFolderPrefix)) return -1;
  int64_t step = -1;
  const char* begin = name.data() + kFolderPrefix.size();
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(begin, end, step);
  return error == std::errc() && rest == end ? step : -1;
}

}  // namespace

fs::path save_checkpoint(const fs::path& output_dir, const CheckpointTensors& tensors,
                         const TrainerState& state, const RunIdentity& identity) {
  const std::string step = std::to_string(state.step);
  const fs::path folder = output_dir / (std::string(kFolderPrefix) + step);
  const fs::path temporary =
      output_dir / (std::string(kUnfinishedPrefix) + step + "-" + std::to_string(::getpid()));
  remove_folder(temporary);
  make_folder(temporary);
  save_tensors(temporary / kModelFile, tensors.model);
  save_tensors(temporary / kOptimizerFile, tensors.optimizer);
  write_file_durably(temporary / kStateFile, to_json(state, identity));
  write_manifest(temporary);
  remove_folder(folder);
  rename_durably(temporary, folder);
  return folder;
}

void remove_unfinished_saves(const fs::path& output_dir) {
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(output_dir)) {
    if (entry.path().filename().string().starts_with(kUnfinishedPrefix))
      unfinished.push_back(entry.path());
  }
  for (const fs::path& folder : unfinished) remove_folder(folder);
}

std::vector<std::pair<int64_t, fs::path>> list_checkpoints(const fs::path& output_dir) {
  std::vector<std::pair<int64_t, fs::path>> found;
  try {
    if (!fs::exists(output_dir)) return found;
    for (const auto& entry : fs::directory_iterator(output_dir)) {
      const int64_t step = step_of(entry.path());
      if (step >= 0) found.emplace_back(step, entry.path());
    }
  } catch (const fs::filesystem_error& problem) {
    throw StorageError("cannot read folder '" + output_dir.string() +
                       "': " + problem.code().message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string find_damage(const fs::path& checkpoint) {
  std::string text;
  const std::string problem = try_read_file(checkpoint / kManifestFile, text, kMaxStateBytes);
  if (!problem.empty()) return std::string(kManifestFile) + " " + problem;
  const json manifest = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object() || manifest.value("format", json()) != kFormat ||
      manifest.value("version", json()) != kVersion ||
      !manifest.value("files", json()).is_object()) {
    return std::string(kManifestFile) + " is not a manifest of this version";
  }
  for (const char* name : kListedFiles) {
    const json listed = manifest["files"].value(name, json());
    std::string file_problem;
    const json actual = describe(checkpoint / name, file_problem);
    if (!file_problem.empty()) return std::string(name) + " " + file_problem;
    if (listed != actual)
      return std::string(name) + " has another size or SHA-256 than the manifest says";
  }
  return "";
}

std::pair<TrainerState, RunIdentity> load_trainer_state(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kStateFile;
  return parse_trainer_state(read_file<CheckpointError>("checkpoint file", path, kMaxStateBytes),
                             path.string());
}

void load_checkpoint_tensors(const fs::path& checkpoint, const CheckpointTensors& tensors) {
  load_tensors(checkpoint / kModelFile, tensors.model);
  load_tensors(checkpoint / kOptimizerFile, tensors.optimizer);
}

void load_checkpoint_model(const fs::path& checkpoint, const std::vector<NamedTensor>& model) {
  load_tensors(checkpoint / kModelFile, model);
}

void prune_checkpoints(const fs::path& output_dir, int64_t limit, int64_t current_step,
                       int64_t best_step) {
  if (limit == 0) return;
  auto checkpoints = list_checkpoints(output_dir);
  // A run that went back to an older checkpoint has left those above its step: they go first.
  std::stable_partition(checkpoints.begin(), checkpoints.end(),
                        [&](const auto& checkpoint) { return checkpoint.first > current_step; });
  auto excess = static_cast<int64_t>(checkpoints.size()) - limit;
  for (const auto& [step, folder] : checkpoints) {
    if (excess <= 0) return;
    if (step == current_step || step == best_step) continue;
    remove_folder(folder);
    --excess;
  }
}

}  // namespace pdl
