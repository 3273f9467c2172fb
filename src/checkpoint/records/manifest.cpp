#include "pdl/checkpoint/records/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "pdl-checkpoint";
constexpr int kVersion = 2;

constexpr JsonRules kRules = {.max_depth = 3};

// Takes the files of a group out of `listed`. The number of ranks is the number of such files.
std::vector<std::string> take_group(std::string_view group, std::set<std::string>& listed,
                                    const std::string& name) {
  const std::string prefix = std::string(group) + "-";
  const auto num_ranks = std::count_if(listed.begin(), listed.end(),
                                       [&](const auto& file) { return file.starts_with(prefix); });
  std::vector<std::string> files;
  for (int64_t rank = 0; rank < std::max<int64_t>(num_ranks, 1); ++rank) {
    files.push_back(tensor_file_name(group, rank, std::max<int64_t>(num_ranks, 1)));
    if (listed.erase(files.back()) == 0) {
      throw CheckpointError("'" + name + "' does not list '" + files.back() +
                            "', which a checkpoint has");
    }
  }
  return files;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  json files = json::object();
  for (const auto& [name, digest] : manifest.files)
    files[name] = {{"size", digest.size}, {"sha256", digest.sha256}};
  const json root = {
      {"format", kFormat}, {"version", kVersion}, {"step", manifest.step}, {"files", files}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Manifest parse_manifest(std::string_view text, const std::string& name) {
  const std::string refusal =
      "'" + name + "' is not a manifest as this version of pdl-train writes it";
  const auto blame = JsonBlame::of<CheckpointError>(refusal + ": ");
  const JsonValue value = parse_json(text, kRules, blame);
  ObjectReader root(value, blame);
  Manifest manifest{.step = root.integer("step"), .files = {}};
  const JsonValue& files = root.required("files", JsonValue::Kind::kObject);
  for (size_t i = 0; i < files.keys().size(); ++i) {
    const std::string& file = files.keys()[i];
    ObjectReader digest(files.items()[i], blame, "'" + printable(file) + "'");
    manifest.files[file] = {digest.integer("size"), digest.string("sha256")};
  }
  if (to_json(manifest) != text) throw CheckpointError(refusal);
  return manifest;
}

std::string tensor_file_name(std::string_view group, int64_t rank, int64_t num_ranks) {
  std::string part;
  if (num_ranks > 1) {
    const auto five_digits = [](int64_t number) {
      const std::string digits = std::to_string(number);
      return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
    };
    part = "-" + five_digits(rank) + "-of-" + five_digits(num_ranks);
  }
  return std::string(group) + part + ".safetensors";
}

TensorFiles tensor_files(const Manifest& manifest, const std::string& name) {
  std::set<std::string> listed;
  for (const auto& [file, digest] : manifest.files) listed.insert(file);
  TensorFiles files;
  files.model = take_group("model", listed, name);
  files.optimizer = take_group("optimizer", listed, name);
  if (listed.erase(kTrainerStateFile) == 0) {
    throw CheckpointError("'" + name + "' does not list '" + kTrainerStateFile +
                          "', which a checkpoint has");
  }
  if (!listed.empty()) {
    throw CheckpointError("'" + name + "' lists '" + printable(*listed.begin()) +
                          "', which no checkpoint has");
  }
  return files;
}

}  // namespace pdl
