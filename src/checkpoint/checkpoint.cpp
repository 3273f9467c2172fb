#include "pdl/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/base/unicode.h"
#include "pdl/checkpoint/records/manifest.h"
#include "pdl/tensors/tensor_store.h"
#include "pdl/tensors/write_tensors.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
const std::string kFolderPrefix = "checkpoint-";
// Checkpoints of versions that did not seed dropout by step hold states of random generators.
constexpr std::string_view kGeneratorPrefix = "generator.";
constexpr const char* kManifestFile = "MANIFEST.json";
constexpr int64_t kMaxStateBytes = int64_t{1} << 26;
// Two, so that a checkpoint that a failing disk damages is not the only one.
constexpr int64_t kMinKept = 2;

// Returns size and hash of a file; `problem` receives the reason if it cannot be read.
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

// `shown` stands for the manifest in messages.
Manifest read_manifest(const fs::path& checkpoint, const std::string& shown) {
  std::string text;
  const std::string problem = try_read_file(checkpoint / kManifestFile, text, kMaxStateBytes);
  if (!problem.empty()) throw CheckpointError("'" + shown + "' " + problem);
  return parse_manifest(text, shown);
}

TensorFiles tensor_files_of(const fs::path& checkpoint) {
  const std::string path = (checkpoint / kManifestFile).string();
  return tensor_files(read_manifest(checkpoint, path), path);
}

TensorStore open_store(const fs::path& checkpoint, const std::vector<std::string>& files) {
  std::vector<fs::path> paths;
  for (const std::string& file : files) paths.push_back(checkpoint / file);
  return TensorStore::open_parts<CheckpointError>(paths);
}

// Throws unless the store has exactly the tensors that are to be read; states of generators may be
// there too.
void require_fit(const TensorStore& store, const std::vector<TensorSlice>& tensors) {
  const std::string problem = "'" + store.name() + "' does not fit the model: it ";
  std::set<std::string> named;
  for (const TensorSlice& slice : tensors) {
    const std::string quoted = "'" + printable(slice.name) + "'";
    if (!store.contains(slice.name)) throw CheckpointError(problem + "lacks " + quoted);
    const TensorInfo wanted{slice.tensor.scalar_type(), slice.global_shape};
    const TensorInfo stored = store.info(slice.name);
    if (stored != wanted) {
      throw CheckpointError(problem + "has " + quoted + " as " + describe(stored) + " instead of " +
                            describe(wanted));
    }
    named.insert(slice.name);
  }
  for (const std::string& name : store.names()) {
    if (!named.contains(name) && !name.starts_with(kGeneratorPrefix))
      throw CheckpointError(problem + "also has '" + printable(name) + "'");
  }
}

// Hashes do not show that files have the right format, so they are read.
void read_structure(const fs::path& checkpoint, const Manifest& manifest,
                    const TensorFiles& files) {
  const int64_t step = load_trainer_state(checkpoint).first.step;
  if (step != manifest.step) {
    throw CheckpointError("it is of step " + std::to_string(step) + ", but its manifest of step " +
                          std::to_string(manifest.step));
  }
  open_store(checkpoint, files.model);
  open_store(checkpoint, files.optimizer);
}

// Shortens a message whose reader knows the folder: files are named without it.
std::string without_folder(std::string message, const fs::path& folder) {
  const std::string prefix = (folder / "").string();
  for (size_t at = 0; (at = message.find(prefix, at)) != std::string::npos;)
    message.erase(at, prefix.size());
  return message;
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
    for (const TensorSlice& slice : *group) bytes += static_cast<int64_t>(slice.tensor.nbytes());
  }
  return bytes;
}

fs::path save_checkpoint(const fs::path& output_dir, const CheckpointTensors& tensors,
                         const TrainerState& state, const RunIdentity& identity) {
  const fs::path folder = checkpoint_folder(output_dir, state.step);
  replace_folder(folder, [&](const fs::path& unfinished) {
    Manifest manifest{.step = state.step, .files = {}};
    const auto save = [&](const std::string& file, const std::vector<TensorSlice>& slices) {
      manifest.files[file] = write_tensors(unfinished / file, slices);
    };
    save(tensor_file_name("model"), tensors.model);
    save(tensor_file_name("optimizer"), tensors.optimizer);
    manifest.files[kTrainerStateFile] =
        save_text(unfinished / kTrainerStateFile, to_json(state, identity));
    save_text(unfinished / kManifestFile, to_json(manifest));
    // Compares what is on disk with what was written, before the checkpoint is visible.
    const std::string damage = find_damage(unfinished);
    if (!damage.empty()) throw StorageError("'" + unfinished.string() + "' read back: " + damage);
  });
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
  try {
    const Manifest manifest = read_manifest(checkpoint, kManifestFile);
    const TensorFiles files = tensor_files(manifest, kManifestFile);
    for (const auto& [name, listed] : manifest.files) {
      std::string problem;
      const FileDigest actual = digest_of(checkpoint / name, problem);
      if (!problem.empty()) return name + " " + problem;
      if (listed != actual) return name + " has another size or SHA-256 than the manifest says";
    }
    const int64_t step = step_of(checkpoint);
    if (step >= 0 && step != manifest.step)
      return "it is of step " + std::to_string(manifest.step) + ", unlike its name";
    read_structure(checkpoint, manifest, files);
  } catch (const Error& unreadable) {
    return without_folder(unreadable.what(), checkpoint);
  }
  return "";
}

std::pair<TrainerState, RunIdentity> load_trainer_state(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kTrainerStateFile;
  return parse_trainer_state(read_file<CheckpointError>("checkpoint file", path, kMaxStateBytes),
                             path.string());
}

void load_checkpoint_tensors(const fs::path& checkpoint, const CheckpointTensors& tensors) {
  const TensorFiles files = tensor_files_of(checkpoint);
  const TensorStore model = open_store(checkpoint, files.model);
  const TensorStore optimizer = open_store(checkpoint, files.optimizer);
  require_fit(model, tensors.model);
  require_fit(optimizer, tensors.optimizer);
  for (const TensorSlice& slice : tensors.model) model.read(slice);
  for (const TensorSlice& slice : tensors.optimizer) optimizer.read(slice);
}

void load_checkpoint_model(const fs::path& checkpoint, const std::vector<TensorSlice>& model) {
  const TensorStore store = open_store(checkpoint, tensor_files_of(checkpoint).model);
  require_fit(store, model);
  for (const TensorSlice& slice : model) store.read(slice);
}

void prune_checkpoints(const fs::path& output_dir, const PruneOptions& options) {
  if (options.limit == 0) return;
  auto checkpoints = list_checkpoints(output_dir);
  const int64_t excess = std::ssize(checkpoints) - std::max<int64_t>(options.limit, kMinKept);
  if (excess <= 0) return;
  // A run that resumed from an older checkpoint has left those above its step: they go first.
  std::stable_partition(checkpoints.begin(), checkpoints.end(), [&](const auto& checkpoint) {
    return checkpoint.first > options.current_step;
  });
  std::vector<fs::path> doomed;
  std::vector<fs::path> kept;
  for (const auto& [step, folder] : checkpoints) {
    const bool may_go = step != options.current_step && step != options.best_step;
    (may_go && std::ssize(doomed) < excess ? doomed : kept).push_back(folder);
  }
  // The one just saved has been verified. Of the others the newest are the likeliest to verify.
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
