#include "pdl/model/hf_folder.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/tensors/tensor_store.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

std::vector<NamedTensor> some_tensors() {
  std::vector<NamedTensor> tensors;
  for (const int64_t size : {3, 5, 4, 20})
    tensors.push_back({"t" + std::to_string(size), at::arange(size, at::kFloat), {}});
  return tensors;
}

std::vector<TensorSource> sources() {
  std::vector<TensorSource> all;
  for (const NamedTensor& tensor : some_tensors()) {
    all.push_back({tensor.name, tensor.tensor.sizes().vec(), at::kFloat,
                   [value = tensor.tensor] { return value; }});
  }
  return all;
}

void expect_in(const fs::path& file, const std::vector<NamedTensor>& tensors) {
  const auto store = TensorStore::open<ModelError>(file);
  EXPECT_EQ(store.names().size(), tensors.size());
  for (const NamedTensor& tensor : tensors) {
    const at::Tensor read = at::empty_like(tensor.tensor);
    store.read({tensor.name, tensor.tensor.sizes().vec(), 0, read});
    EXPECT_TRUE(at::equal(read, tensor.tensor)) << tensor.name;
  }
}

TEST(HfFolder, SplitsInOrder) {
  EXPECT_THAT(split_into_shards({}, 10), IsEmpty());
  EXPECT_THAT(split_into_shards({4, 6}, 10), ElementsAre(2U));
  EXPECT_THAT(split_into_shards({4, 7, 3, 1}, 10), ElementsAre(1U, 2U, 1U));
  EXPECT_THAT(split_into_shards({20, 1, 20}, 10), ElementsAre(1U, 1U, 1U));
}

TEST(HfFolder, WritesOneFileOrShardsWithAnIndex) {
  const TempFolder folder;
  write_weights(folder.path(), sources(), 1 << 20);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model.safetensors"));
  expect_in(folder / "model.safetensors", some_tensors());

  const TempFolder sharded;
  write_weights(sharded.path(), sources(), 40);  // bytes
  EXPECT_THAT(
      names_in(sharded.path()),
      UnorderedElementsAre("model.safetensors.index.json", "model-00001-of-00003.safetensors",
                           "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"));
  expect_in(sharded / "model.safetensors.index.json", some_tensors());
}

TEST(HfFolder, ReplacesAFolderWhole) {
  const TempFolder folder;
  write_hf_folder(folder / "model", {{"config.json", "1"}, {"merges.txt", ""}}, sources());
  write_hf_folder(folder / "model",
                  {{"config.json", "2"}, {"additional_chat_templates/a.jinja", "{{ a }}"}},
                  sources());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model"));
  EXPECT_THAT(
      names_in(folder / "model"),
      UnorderedElementsAre("config.json", "additional_chat_templates", "model.safetensors"));
  EXPECT_EQ(file_content(folder / "model/config.json"), "2");
  EXPECT_EQ(file_content(folder / "model/additional_chat_templates/a.jinja"), "{{ a }}");
}

TEST(HfFolder, KnowsTheFilesThatBelongToIt) {
  for (const char* name : {"config.json", "tokenizer.model", "additional_chat_templates/x.jinja"})
    EXPECT_TRUE(is_companion_file(name)) << name;
  for (const char* name :
       {"", "../config.json", "/etc/passwd", "model.safetensors", "x.jinja",
        "additional_chat_templates/../x.jinja", "additional_chat_templates/x.sh"})
    EXPECT_FALSE(is_companion_file(name)) << name;
}

}  // namespace
}  // namespace pdl
