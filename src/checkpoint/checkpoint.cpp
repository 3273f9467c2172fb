#include "pdl/checkpoint/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/base/unnamed_file.h"
#include "pdl/checkpoint/records/manifest.h"
#include "pdl/safetensors/header.h"
#include "pdl/tensors/tensor_file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
const std::string kFolderPrefix = "checkpoint-";
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
// Checkpoints from before dropout was seeded by step hold states of random generators.
constexpr std::string_view kGeneratorPrefix = "generator.";
constexpr const char* kStateFile = "trainer_state.json";
constexpr const char* kManifestFile = "MANIFEST.json";
constexpr std::array<const char*, 3> kListedFiles = {kModelFile, kOptimizerFile, kStateFile};
constexpr int64_t kMaxStateBytes = int64_t{1} << 26;
// One that rots must not be the only one.
constexpr int64_t kMinKept = 2;

// Size and hash of a file; `problem` receives why it cannot be read.
FileDigest digest_of(const fs::path& path, std::string& problem) {
  Sha256 hash;
  FileDigest digest;
  problem = try_read_pieces(path, [&](std::string_view bytes) {
    hash.update(bytes);
    digest.size += static_cast<int64_t>(bytes.size());
  });
  digest.sha256 = hash.finish();
  return digest;
}

FileDigest save_text(const fs::path& path, const std::string& text) {
  NewFile file(path);
  file.write(text);
  file.close();
  return {std::ssize(text), sha256(text)};
}

// Reads what no hash vouches for: that the files are of the kinds that they should be.
void read_structure(const fs::path& checkpoint, const Manifest& manifest) {
  const int64_t step = load_trainer_state(checkpoint).first.step;
  if (step != manifest.step) {
    throw CheckpointError("it is of step " + std::to_string(step) + ", but its manifest of step " +
                          std::to_string(manifest.step));
  }
  for (const char* name : {kModelFile, kOptimizerFile}) {
    int descriptor = -1;
    int64_t size = 0;
    const std::string problem = try_open_file(checkpoint / name, descriptor, size);
    if (!problem.empty()) throw CheckpointError(std::string(name) + " " + problem);
    const MappedFile file(descriptor, checkpoint / name);
    ::close(descriptor);
    decode_safetensors_header(file.content(), name);  // touches nothing behind the header
  }
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

fs::path checkpoint_folder(const fs::path& output_dir, int64_t step) {
  return output_dir / (kFolderPrefix + std::to_string(step));
}

int64_t checkpoint_bytes(const CheckpointTensors& tensors) {
  int64_t bytes = 0;
  for (const auto* group : {&tensors.model, &tensors.optimizer}) {
    for (const NamedTensor& named : *group) bytes += static_cast<int64_t>(named.tensor.nbytes());
  }
  return bytes;
}

fs::path save_checkpoint(const fs::path& output_dir, const CheckpointTensors& tensors,
                         const TrainerState& state, const RunIdentity& identity) {
  const std::string name = kFolderPrefix + std::to_string(state.step);
  const fs::path temporary =
      output_dir / (std::string(kTemporaryPrefix) + name + "-" + std::to_string(::getpid()));
  remove_durably(temporary);
  make_folder(temporary);
  try {
    Manifest manifest{.step = state.step, .files = {}};
    manifest.files[kModelFile] = save_tensors(temporary / kModelFile, tensors.model);
    manifest.files[kOptimizerFile] = save_tensors(temporary / kOptimizerFile, tensors.optimizer);
    manifest.files[kStateFile] = save_text(temporary / kStateFile, to_json(state, identity));
    save_text(temporary / kManifestFile, to_json(manifest));
    sync_folder(temporary);
    // What was written is compared with what should have been, before anybody can see it.
    const std::string damage = find_damage(temporary);
    if (!damage.empty()) throw StorageError("'" + temporary.string() + "' read back: " + damage);
  } catch (...) {
    std::error_code ignored;  // the first failure is the one to tell
    fs::remove_all(temporary, ignored);
    throw;
  }
  const fs::path folder = checkpoint_folder(output_dir, state.step);
  replace_folder_durably(temporary, folder);
  return folder;
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
  std::error_code error;
  if (!fs::exists(checkpoint, error) && !error) return "there is no such folder";
  std::string text;
  const std::string problem = try_read_file(checkpoint / kManifestFile, text, kMaxStateBytes);
  if (!problem.empty()) return std::string(kManifestFile) + " " + problem;
  try {
    const Manifest manifest = parse_manifest(text, kManifestFile);
    if (manifest.files.size() != kListedFiles.size()) {
      return std::string(kManifestFile) + " lists other files than a checkpoint has";
    }
    for (const char* name : kListedFiles) {
      std::string file_problem;
      const FileDigest actual = digest_of(checkpoint / name, file_problem);
      if (!file_problem.empty()) return std::string(name) + " " + file_problem;
      const auto listed = manifest.files.find(name);
      if (listed == manifest.files.end() || listed->second != actual)
        return std::string(name) + " has another size or SHA-256 than the manifest says";
    }
    const int64_t step = step_of(checkpoint);
    if (step >= 0 && step != manifest.step)
      return "it is of step " + std::to_string(manifest.step) + ", unlike its name";
    read_structure(checkpoint, manifest);
  } catch (const Error& unreadable) {
    return unreadable.what();
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
  load_tensors(checkpoint / kOptimizerFile, tensors.optimizer, kGeneratorPrefix);
}

void load_checkpoint_model(const fs::path& checkpoint, const std::vector<NamedTensor>& model) {
  load_tensors(checkpoint / kModelFile, model);
}

void prune_checkpoints(const fs::path& output_dir, const PruneOptions& options) {
  if (options.limit == 0) return;
  auto checkpoints = list_checkpoints(output_dir);
  const int64_t excess = std::ssize(checkpoints) - std::max<int64_t>(options.limit, kMinKept);
  if (excess <= 0) return;
  // A run that went back to an older checkpoint has left those above its step: they go first.
  std::stable_partition(checkpoints.begin(), checkpoints.end(), [&](const auto& checkpoint) {
    return checkpoint.first > options.current_step;
  });
  std::vector<fs::path> doomed;
  std::vector<fs::path> kept;
  for (const auto& [step, folder] : checkpoints) {
    const bool may_go = step != options.current_step && step != options.best_step;
    (may_go && std::ssize(doomed) < excess ? doomed : kept).push_back(folder);
  }
  // The one just saved has been read back. Of the others the newest are the likeliest to verify.
  int64_t verified = 1;
  for (auto folder = kept.rbegin(); folder != kept.rend() && verified < kMinKept; ++folder) {
    if (step_of(*folder) != options.current_step && find_damage(*folder).empty()) ++verified;
  }
  for (auto folder = doomed.rbegin(); folder != doomed.rend(); ++folder) {
    if (verified < kMinKept && find_damage(*folder).empty()) {
      ++verified;
    } else {
      remove_durably(*folder);
    }
  }
}

}  // namespace pdl
