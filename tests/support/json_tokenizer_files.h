// tokenizer.json files for tests, small and right, and the fixture that loads them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/tokenizer/tokenizer.h"
#include "support/temp_folder.h"

namespace pdl::tokenizer_files {

using nlohmann::json;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

// Characters a to e and the blank sign, "ab", "abc", "▁a", "▁ab", and an unknown token.
inline json bpe_model() {
  return json::parse(R"({"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": false,
      "byte_fallback": false, "ignore_merges": false, "continuing_subword_prefix": null,
      "end_of_word_suffix": null,
      "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "d": 4, "▁": 5, "ab": 6, "abc": 7, "▁a": 8,
                "▁ab": 9, "é": 10},
      "merges": [["a", "b"], ["▁", "ab"], ["ab", "c"], ["▁", "a"]]})");
}

inline json added_token(int id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

inline json metaspace(const std::string& scheme, bool split) {
  return {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", split}};
}

inline json split(const std::string& expression, const std::string& behavior, bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", behavior},
          {"invert", invert}};
}

inline json whole_file(const json& pre_tokenizer = nullptr, const json& normalizer = nullptr) {
  return {{"version", "1.0"},          {"truncation", nullptr},
          {"padding", nullptr},        {"added_tokens", json::array()},
          {"normalizer", normalizer},  {"pre_tokenizer", pre_tokenizer},
          {"post_processor", nullptr}, {"decoder", nullptr},
          {"model", bpe_model()}};
}

class JsonTokenizerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Tokenizer> load(const json& content) {
    return load_tokenizer(folder_.file("tokenizer.json", content.dump()));
  }
  std::string refusal(const json& content) { return refusal_of_text(content.dump()); }
  std::string refusal_of_text(const std::string& content) {
    try {
      load_tokenizer(folder_.file("tokenizer.json", content));
    } catch (const ModelError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("tokenizer.json"));
      EXPECT_EQ(std::string(problem.what()).find('\n'), std::string::npos);
      EXPECT_LE(std::string(problem.what()).size(), 300u);
      return problem.what();
    }
    return "";
  }
  // The words of a text that is split whole.
  std::vector<std::string> words(const json& content, std::string_view text) {
    const auto tokenizer = load(content);
    WordList list;
    tokenizer->split(text, true, list);
    std::vector<std::string> words;
    for (const Word& word : list.words) words.emplace_back(word.bytes);
    return words;
  }

  TempFolder folder_;
};

}  // namespace pdl::tokenizer_files
