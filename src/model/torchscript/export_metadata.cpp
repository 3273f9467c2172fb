#include "export_metadata.h"

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/json.h"

namespace pdl {
namespace {

constexpr const char* kMetadataFile = "pdl_meta.json";
constexpr std::string_view kMetadataFormat = "pdl-ts-1";
constexpr std::string_view kFolderPrefix = "hf/";
constexpr std::string_view kConfigFile = "config.json";

// Whether the metadata are of the exporter.
bool is_exported(const JsonValue& root) {
  const std::vector<std::string>& keys = root.keys();
  const auto format = std::ranges::find(keys, "format");
  if (format == keys.end()) return false;
  const JsonValue& value = root.items()[static_cast<size_t>(format - keys.begin())];
  return value.is_string() && value.text() == kMetadataFormat;
}

std::optional<at::ScalarType> dtype_of(ObjectReader& weight) {
  if (weight.find("dtype") == nullptr) return std::nullopt;
  const std::string& name = weight.string("dtype");
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  weight.fail_at("dtype", describe(*weight.find("dtype")) + " is not known");
}

ExportedWeight read_weight(const JsonValue& value, const JsonBlame& blame,
                           const std::string& place) {
  ObjectReader weight(value, blame, place);
  return {.file_name = weight.string("name"),
          .program_name = weight.string("program_name"),
          .dtype = dtype_of(weight)};
}

std::vector<CompanionFile> read_files(const torch::jit::ExtraFilesMap& extra_files) {
  std::vector<CompanionFile> files;
  for (const auto& [name, content] : extra_files) {
    if (!name.starts_with(kFolderPrefix)) continue;
    const std::string file = name.substr(kFolderPrefix.size());
    if (is_companion_file(file)) files.push_back({file, content});
  }
  std::ranges::sort(files, [](const CompanionFile& a, const CompanionFile& b) {
    return std::pair(a.name != kConfigFile, a.name) < std::pair(b.name != kConfigFile, b.name);
  });
  return files;
}

}  // namespace

ExportMetadata read_export_metadata(const torch::jit::ExtraFilesMap& files,
                                    const std::string& name) {
  const auto text = files.find(kMetadataFile);
  JsonValue value;
  if (text == files.end() || try_parse_json(text->second, JsonRules{}, value)) return {};
  if (!is_exported(value)) return {};
  const JsonBlame blame =
      JsonBlame::of<ModelError>("model '" + name + "' cannot be used: pdl_meta.json in it: ");
  ObjectReader root(value, blame);
  ExportMetadata metadata;
  if (root.find("max_positions") != nullptr)
    metadata.max_positions = root.integer("max_positions", 0);
  if (root.find("nonpersistent_buffers") != nullptr) {
    for (const JsonValue& buffer :
         root.required("nonpersistent_buffers", JsonValue::Kind::kArray).items()) {
      if (buffer.is_string()) metadata.computed_buffers.insert(buffer.text());
    }
  }
  if (root.find("weights") == nullptr) return metadata;
  for (const JsonValue& weight : root.required("weights", JsonValue::Kind::kArray).items()) {
    metadata.weights.push_back(
        read_weight(weight, blame, element_place("weights", metadata.weights.size())));
  }
  metadata.files = read_files(files);
  const bool has_config = !metadata.files.empty() && metadata.files.front().name == kConfigFile;
  if (!has_config && !metadata.weights.empty())
    root.fail_at("weights", "are there, and no config.json is");
  return metadata;
}

}  // namespace pdl
