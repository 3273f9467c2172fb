#include "text/character_map.h"

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <random>

#include "pdl/base/error.h"
#include "text/sentencepiece_model.h"

namespace pdl {
namespace {

class OneSentence : public sentencepiece::SentenceIterator {
 public:
  bool done() const override { return done_; }
  void Next() override { done_ = true; }
  const std::string& value() const override { return sentence_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::string sentence_ = "a b c";
  bool done_ = false;
};

std::string map_of_the_library() {
  OneSentence sentence;
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      {{"model_type", "char"}, {"vocab_size", "7"}, {"minloglevel", "2"}}, &sentence, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return parse_sentencepiece_model(model).character_map;
}

TEST(CharacterMapTest, FindsTheLongestRule) {
  const CharacterMap map(map_of_the_library());
  const auto ligature = map.find("\xef\xac\x81nd");  // U+FB01
  ASSERT_TRUE(ligature.has_value());
  EXPECT_EQ(ligature->num_bytes, 3U);
  EXPECT_EQ(ligature->replacement, "fi");
  const auto composed = map.find("e\xcc\x81te");  // e and a combining acute accent
  ASSERT_TRUE(composed.has_value());
  EXPECT_EQ(composed->num_bytes, 3U);
  EXPECT_EQ(composed->replacement, "\xc3\xa9");
  EXPECT_FALSE(map.find("ete").has_value());
  EXPECT_FALSE(map.find("").has_value());
  EXPECT_TRUE(map.has_rule_from("e\xcc"));
  EXPECT_FALSE(map.has_rule_from("et"));
}

TEST(CharacterMapTest, TheEmptyMapHasNoRules) {
  const CharacterMap map("");
  EXPECT_FALSE(map.find("e\xcc\x81").has_value());
  EXPECT_FALSE(map.has_rule_from("e"));
}

// What a damaged map says does not matter, but it is read within its bounds.
TEST(CharacterMapTest, ADamagedMapIsAnErrorOrAnotherMap) {
  const std::string good = map_of_the_library();
  std::mt19937 random(1);
  int num_errors = 0;
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    if (i % 3 == 0) bad.resize(1 + random() % good.size());
    const size_t num_changes = i % 3 == 1 ? 1 : 5000;
    for (size_t k = 0; k < num_changes; ++k) {
      bad[i % 3 == 1 ? random() % 4 : random() % bad.size()] = static_cast<char>(random());
    }
    try {
      const CharacterMap map(bad);
      for (const std::string text :
           {"e\xcc\x81", "\xef\xac\x81", " ", "\xc2\xa8", "\xe1\xba\x9b"}) {
        const auto rule = map.find(text);
        EXPECT_TRUE(!rule || rule->num_bytes <= text.size());
      }
    } catch (const ModelError&) {
      ++num_errors;
    }
  }
  EXPECT_GT(num_errors, 50);
}

}  // namespace
}  // namespace pdl
