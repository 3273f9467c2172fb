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

}  // namespace
}  // namespace pdl
