// tokenizer.json files that are not supported, hostile or damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "support/json_tokenizer_files.h"

namespace pdl::tokenizer_files {
namespace {

TEST_F(JsonTokenizerTest, WhatIsNotSupportedIsNamed) {
  const auto changed = [&](const char* pointer, const json& value) {
    json file = whole_file();
    file[json::json_pointer(pointer)] = value;
    return refusal(file);
  };
  EXPECT_THAT(changed("/model/type", "WordPiece"), HasSubstr("WordPiece"));
  EXPECT_THAT(changed("/model/dropout", 0.1), HasSubstr("model.dropout"));
  EXPECT_THAT(changed("/model/end_of_word_suffix", "</w>"), HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(changed("/model/surprise", 1), HasSubstr("model.surprise"));
  EXPECT_THAT(changed("/version", "2.0"), HasSubstr("version"));
  EXPECT_THAT(changed("/surprise", 1), HasSubstr("surprise"));
  EXPECT_THAT(changed("/normalizer", {{"type", "BertNormalizer"}}), HasSubstr("BertNormalizer"));
  EXPECT_THAT(changed("/pre_tokenizer", {{"type", "BertPreTokenizer"}}),
              HasSubstr("BertPreTokenizer"));
  EXPECT_THAT(changed("/model/vocab/zz", 3), HasSubstr("zz"));
  EXPECT_THAT(changed("/model/vocab/zz", -1), HasSubstr("zz"));
  EXPECT_THAT(changed("/model/vocab/zz", 2000000000), HasSubstr("zz"));
  EXPECT_THAT(changed("/model/vocab/zz", 16777215), HasSubstr("zz"));  // half a GB of unused ids
  EXPECT_THAT(changed("/model/merges/0", {"a", "q"}), HasSubstr("merges"));
  EXPECT_THAT(changed("/model/vocab", 3), HasSubstr("model.vocab"));
  EXPECT_THAT(changed("/added_tokens", 3), HasSubstr("added_tokens"));
}

TEST_F(JsonTokenizerTest, HostileFilesAreRefused) {
  EXPECT_THROW(load_tokenizer(folder_ / "none.json"), ModelError);
  EXPECT_NE(refusal_of_text(""), "");
  EXPECT_NE(refusal_of_text("[]"), "");
  EXPECT_NE(refusal_of_text("{\"model\": \"\xff\"}"), "");
  EXPECT_NE(refusal_of_text("{\"model\": \"\\ud800\"}"), "");
  EXPECT_THAT(refusal_of_text(std::string(100'000, '[')), HasSubstr("nested"));
  std::string many = R"({"type": "NFC"})";
  for (int i = 0; i < 200; ++i) many += R"(, {"type": "Digits", "individual_digits": true})";
  json file = whole_file({{"type", "Sequence"}, {"pretokenizers", json::parse("[" + many + "]")}});
  EXPECT_NE(refusal(file), "");
}

// Each step makes eight characters of one; twenty would fill any memory.
TEST_F(JsonTokenizerTest, ANormalizerThatMakesATextManyTimesAsLongIsAnError) {
  json steps = json::array();
  const auto with_steps = [&] {
    return whole_file(nullptr, {{"type", "Sequence"}, {"normalizers", steps}});
  };
  for (int i = 0; i < 20; ++i) {
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaa"}});
    if (i == 1) {
      EXPECT_EQ(load(with_steps())->encode("ac").size(), 65u);
    }
  }
  EXPECT_THROW(load(with_steps())->encode("a"), DataError);
  json file = with_steps();
  file["added_tokens"].push_back(added_token(11, "a"));
  file["added_tokens"][0]["id"] = 1;
  file["added_tokens"][0]["normalized"] = true;
  EXPECT_THAT(refusal(file), HasSubstr("added_tokens[0]"));
}

// A blank sign before each word, which then is a word of its own, twice as many each time.
TEST_F(JsonTokenizerTest, WordsThatDoubleAtEachStageAreRefused) {
  json stages = json::array();
  for (const char* sign : {"▁", "a", "b", "c", "d", "é"}) {
    json stage = metaspace("always", true);
    stage["replacement"] = sign;
    stages.push_back(stage);
    stages.push_back(split(sign, "Isolated"));
  }
  const auto file = [&] { return whole_file({{"type", "Sequence"}, {"pretokenizers", stages}}); };
  EXPECT_LE(words(file(), "x").size(), 64u);
  stages.push_back(split("a", "Isolated"));
  EXPECT_THAT(refusal(file()), HasSubstr("more than 12"));
}

// Whatever is cut off or overwritten, the file is refused or it works.
TEST_F(JsonTokenizerTest, DamagedFilesNeverEndTheProcess) {
  json file =
      whole_file(split(R"( ?\p{L}+|[^\s\p{L}]+|\s+(?!\S)|\s+)", "Isolated"), {{"type", "NFKC"}});
  file["added_tokens"].push_back(added_token(11, "<x>"));
  const std::string good = file.dump();
  Random random(7);
  for (int i = 0; i < 1500; ++i) {
    std::string damaged = good;
    if (i % 3 == 0) {
      damaged.resize(random.below(damaged.size()));
    } else {
      for (uint64_t flips = 0, n = 1 + random.below(3); flips < n; ++flips)
        damaged[random.below(damaged.size())] = static_cast<char>(32 + random.below(95));
    }
    try {
      load_tokenizer(folder_.file("damaged.json", damaged))->encode("ab é <x>  \n c12");
    } catch (const ModelError& problem) {
      EXPECT_LE(std::string(problem.what()).size(), 300u) << problem.what();
    } catch (const DataError&) {
    }
  }
}

}  // namespace
}  // namespace pdl::tokenizer_files
