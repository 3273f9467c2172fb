#include "pdl/safetensors/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

std::string problem_of(const std::string& text) {
  SafetensorsIndex index;
  return try_parse_safetensors_index(text, index);
}

std::string with_file(const std::string& file) { return R"({"weight_map": {"w": )" + file + "}}"; }

TEST(SafetensorsIndexTest, ReadsWhatTransformersWrites) {
  const TempFolder folder;
  const std::string text = R"({
  "metadata": {
    "total_parameters": 3000000000,
    "total_size": 12000000000.0
  },
  "weight_map": {
    "lm_head.weight": "model-00002-of-00002.safetensors",
    "model.embed_tokens.weight": "model-00001-of-00002.safetensors"
  }
}
)";
  SafetensorsIndex index;
  ASSERT_EQ(try_read_safetensors_index(folder.file("model.safetensors.index.json", text), index),
            "");
  EXPECT_EQ(index.weight_map,
            (std::map<std::string, std::string>{
                {"lm_head.weight", "model-00002-of-00002.safetensors"},
                {"model.embed_tokens.weight", "model-00001-of-00002.safetensors"}}));
}

TEST(SafetensorsIndexTest, AFileIsAPlainNameBesideTheIndex) {
  EXPECT_EQ(problem_of(with_file(R"("model-00001-of-00002.safetensors")")), "");
  EXPECT_EQ(problem_of(with_file(R"("..model..safetensors")")), "");
  for (const char* file : {R"("../model.safetensors")", R"("/etc/passwd")", R"("a/b.safetensors")",
                           R"("a\\b")", R"("..")", R"(".")", R"("")", R"("a\u0000.safetensors")",
                           R"("a\nb")", "1", "null", "[]", R"(["a"])"}) {
    EXPECT_THAT(problem_of(with_file(file)), HasSubstr("not the name of a file beside it")) << file;
  }
}

TEST(SafetensorsIndexTest, RefusesWhatIsNoIndex) {
  const std::string good = with_file("\"f\"");
  ASSERT_EQ(problem_of(good), "");
  for (const std::string& text : std::vector<std::string>{
           "", "[]", "null", "{", "{}", R"({"weight_map": null})", R"({"weight_map": {}})",
           R"({"weight_map": []})", R"({"metadata": {}})", good + "x", "\xef\xbb\xbf" + good,
           good + std::string(1, '\0') + "x", R"({"weight_map": {"w": "a", "w": "b"}})",
           R"({"weight_map": {"w": "a"}, "weight_map": {"w": "b"}})",
           R"({"metadata": {"a": 1, "a": 1}, "weight_map": {"w": "a"}})",
           R"({"metadata": {"a": {"b": {"c": {}}}}, "weight_map": {"w": "a"}})",
           R"({"weight_map": )" + std::string(100'000, '['),
           "{\"weight_map\": {\"\xff\": \"a\"}}"}) {
    EXPECT_THAT(problem_of(text), HasSubstr("is not a valid index of safetensors files: ")) << text;
  }
}

TEST(SafetensorsIndexTest, EveryTruncationIsRefused) {
  const std::string text = with_file("\"model.safetensors\"");
  for (size_t size = 0; size < text.size(); ++size) EXPECT_NE(problem_of(text.substr(0, size)), "");
}

TEST(SafetensorsIndexTest, AFileThatCannotBeReadIsAProblem) {
  const TempFolder folder;
  SafetensorsIndex index;
  EXPECT_EQ(try_read_safetensors_index(folder / "none.index.json", index), "does not exist");
  std::ofstream(folder / "big.index.json") << "{";
  std::filesystem::resize_file(folder / "big.index.json", (int64_t{1} << 26) + 1);
  EXPECT_EQ(try_read_safetensors_index(folder / "big.index.json", index),
            "is larger than 67108864 bytes");
}

}  // namespace
}  // namespace pdl
