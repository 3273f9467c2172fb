#include "pdl/model/hf_folder.h"

#include <c10/util/accumulate.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxShardBytes = 5'000'000'000;  // as transformers' "5GB"
constexpr const char* kConfigFile = "config.json";
// Of transformers' models, tokenizers and chat templates.
constexpr const char* kFiles[] = {"generation_config.json",
                                  "tokenizer.json",
                                  "tokenizer_config.json",
                                  "tokenizer.model",
                                  "special_tokens_map.json",
                                  "added_tokens.json",
                                  "vocab.json",
                                  "merges.txt",
                                  "vocab.txt",
                                  "spiece.model",
                                  "sentencepiece.bpe.model",
                                  "tekken.json",
                                  "chat_template.jinja",
                                  "chat_template.json"};
constexpr const char* kTemplatesFolder = "additional_chat_templates";

CompanionFile read(const fs::path& folder, const std::string& name) {
  return {name, read_file<ModelError>("file", folder / name)};
}

std::string shard_name(size_t index, size_t count) {
  const auto padded = [](size_t number) {
    const std::string digits = std::to_string(number);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return "model-" + padded(index + 1) + "-of-" + padded(count) + ".safetensors";
}

}  // namespace

std::vector<CompanionFile> read_companion_files(const fs::path& folder) {
  std::error_code ignored;
  std::vector<CompanionFile> files = {read(folder, kConfigFile)};
  for (const char* name : kFiles) {
    if (fs::is_regular_file(folder / name, ignored)) files.push_back(read(folder, name));
  }
  std::vector<std::string> templates;
  for (const auto& entry : fs::directory_iterator(folder / kTemplatesFolder, ignored)) {
    if (entry.path().extension() == ".jinja")
      templates.push_back((fs::path(kTemplatesFolder) / entry.path().filename()).string());
  }
  std::ranges::sort(templates);
  for (const std::string& name : templates) files.push_back(read(folder, name));
  return files;
}

bool is_companion_file(const std::string& name) {
  const auto is_name = [&](const char* known) { return name == known; };
  if (is_name(kConfigFile) || std::ranges::any_of(kFiles, is_name)) return true;
  const fs::path path = name;
  return path.parent_path() == kTemplatesFolder && path.extension() == ".jinja";
}

std::vector<size_t> split_into_shards(const std::vector<int64_t>& sizes_in_bytes,
                                      int64_t max_bytes) {
  std::vector<size_t> counts;
  int64_t bytes = 0;
  for (const int64_t size : sizes_in_bytes) {
    if (counts.empty() || bytes + size > max_bytes) {
      counts.push_back(0);
      bytes = 0;
    }
    ++counts.back();
    bytes += size;
  }
  return counts;
}

void write_weights(const fs::path& folder, const std::vector<TensorSource>& tensors,
                   int64_t max_bytes) {
  std::vector<int64_t> sizes;
  int64_t total = 0;
  for (const TensorSource& tensor : tensors) {
    sizes.push_back(c10::multiply_integers(tensor.shape) *
                    static_cast<int64_t>(c10::elementSize(tensor.dtype)));
    total += sizes.back();
  }
  const std::vector<size_t> shards = split_into_shards(sizes, max_bytes);
  const std::span<const TensorSource> all(tensors);
  if (shards.size() <= 1) {
    write_tensors(folder / kHfWeightsFile, all);
    return;
  }
  nlohmann::ordered_json index;
  index["metadata"]["total_size"] = total;
  size_t begin = 0;
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    const std::string file = shard_name(shard, shards.size());
    write_tensors(folder / file, all.subspan(begin, shards[shard]));
    for (size_t i = begin; i < begin + shards[shard]; ++i)
      index["weight_map"][tensors[i].name] = file;
    begin += shards[shard];
  }
  write_file_durably(folder / kHfIndexFile, index.dump(2) + "\n");
}

void write_hf_folder(const fs::path& folder, const std::vector<CompanionFile>& files,
                     const std::vector<TensorSource>& tensors) {
  replace_folder(folder, [&](const fs::path& unfinished) {
    for (const CompanionFile& file : files) {
      const fs::path path = unfinished / file.name;
      if (path.parent_path() != unfinished) make_folder(path.parent_path());
      write_file_durably(path, file.content);
    }
    write_weights(unfinished, tensors, kMaxShardBytes);
  });
}

}  // namespace pdl
