#include "pdl/checkpoint/records/manifest.h"

#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "pdl/base/sha256.h"

namespace pdl {
namespace {

Manifest example() {
  return {
      .step = 120,
      .files = {{"a.json", {12, sha256("a")}}, {"b.safetensors", {int64_t{1} << 40, sha256("b")}}}};
}

TEST(ManifestTest, ReadsBackWhatItWrites) {
  const Manifest read = parse_manifest(to_json(example()), "m");
  EXPECT_EQ(read.step, 120);
  EXPECT_EQ(read.files, example().files);
}

TEST(ManifestTest, EveryChangedByteIsRefusedOrMeansSomethingElse) {
  const std::string text = to_json(example());
  for (size_t at = 0; at < text.size(); ++at) {
    for (const int change : {0x01, 0x80, 0x20, 0xff}) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ change);
      try {
        const Manifest read = parse_manifest(changed, "m");
        EXPECT_TRUE(read.step != 120 || read.files != example().files) << "byte " << at;
      } catch (const CheckpointError&) {
      }
    }
  }
}

TEST(ManifestTest, EveryTruncationIsRefused) {
  const std::string text = to_json(example());
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_THROW(parse_manifest(text.substr(0, size), "m"), CheckpointError) << size;
}

TEST(ManifestTest, DeepNestingIsRefused) {
  EXPECT_THROW(parse_manifest(std::string(1'000'000, '['), "m"), CheckpointError);
}

Manifest listing(const std::vector<std::string>& files) {
  Manifest manifest;
  for (const std::string& file : files) manifest.files[file] = {};
  return manifest;
}

TEST(ManifestTest, TensorFilesAreOneOrOneARank) {
  const TensorFiles single = tensor_files(
      listing({"model.safetensors", "optimizer.safetensors", "trainer_state.json"}), "m");
  EXPECT_EQ(single.model, std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ(single.optimizer, std::vector<std::string>{"optimizer.safetensors"});
  const TensorFiles parts =
      tensor_files(listing({"model.safetensors", "optimizer-00000-of-00002.safetensors",
                            "optimizer-00001-of-00002.safetensors", "trainer_state.json"}),
                   "m");
  EXPECT_EQ(parts.model, std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ(parts.optimizer, (std::vector<std::string>{"optimizer-00000-of-00002.safetensors",
                                                       "optimizer-00001-of-00002.safetensors"}));
  std::vector<std::string> many = {"model.safetensors", "trainer_state.json"};
  for (int64_t rank = 0; rank < 1100; ++rank)
    many.push_back(tensor_file_name("optimizer", rank, 1100));
  const std::vector<std::string> files = tensor_files(listing(many), "m").optimizer;
  EXPECT_EQ(files, std::vector<std::string>(many.begin() + 2, many.end()));
}

TEST(ManifestTest, OtherFilesThanACheckpointHasAreRefused) {
  const std::string state = "trainer_state.json";
  const std::string model = "model.safetensors";
  const std::string optimizer = "optimizer.safetensors";
  const std::vector<std::vector<std::string>> bad = {
      {},
      {model, optimizer},
      {model, state},
      {optimizer, state},
      {model, optimizer, state, "model.pt"},
      {model, optimizer, state, "MANIFEST.json"},
      {model, optimizer, state, "../trainer_state.json"},
      {"../model.safetensors", optimizer, state},
      {"model-00000-of-00001.safetensors", optimizer, state},
      {"model-00000-of-00002.safetensors", optimizer, state},
      {"model-00000-of-00003.safetensors", "model-00001-of-00003.safetensors", optimizer, state},
      {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", optimizer, state},
      {"model-00000-of-00002.safetensors", "model-00001-of-00003.safetensors", optimizer, state},
      {"model-0-of-2.safetensors", "model-1-of-2.safetensors", optimizer, state},
      {"model-00000-of-00002.safetensors", "model-00001-of-00002.safetensors", model, optimizer,
       state},
      {"model-/../../x", "model-00001-of-00002.safetensors", optimizer, state},
  };
  for (const std::vector<std::string>& files : bad) {
    EXPECT_THROW(tensor_files(listing(files), "m"), CheckpointError)
        << ::testing::PrintToString(files);
  }
}

}  // namespace
}  // namespace pdl
