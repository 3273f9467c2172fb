#include "tokenizer/sentencepiece/character_map.h"

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <cstring>
#include <random>
#include <vector>

#include "pdl/base/error.h"
#include "tokenizer/sentencepiece/sentencepiece_model.h"

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

TEST(CharacterMapTest, TheMapsOfTheLibraryAreGood) {
  CharacterMap(map_of_the_library()).check();
  CharacterMap("").check();
}

// Encodes a unit of the trie: the offset of its children, whether it holds a value, and the byte
// that leads to it.
uint32_t unit(uint32_t offset, bool has_leaf, uint32_t label) {
  return offset << 10 | (has_leaf ? 1U << 8 : 0U) | label;
}

// A value of 0: the first replacement.
constexpr uint32_t kValue = uint32_t{1} << 31;

std::string serialized_map(const std::vector<uint32_t>& units) {
  const auto size = static_cast<uint32_t>(units.size() * sizeof(uint32_t));
  std::string bytes(sizeof size + size, '\0');
  std::memcpy(bytes.data(), &size, sizeof size);
  std::memcpy(bytes.data() + sizeof size, units.data(), size);
  return bytes + std::string("x\0", 2);
}

// Makes the rules for "a", "aa", … up to `num_rules` letters, each letter in a separate block.
std::vector<uint32_t> chain(uint32_t num_rules) {
  std::vector<uint32_t> units(256 * (num_rules + 2));
  units[0] = unit(256, false, 0);
  units[256] = kValue;
  for (uint32_t i = 1; i <= num_rules; ++i) {
    units[256 * (i + 1)] = kValue;
    const uint32_t at = 256 * i + 'a';
    units[at] = unit(at ^ (256 * (i + 1)), true, 'a');
  }
  return units;
}

TEST(CharacterMapTest, TheLibraryHasRoomForSomeRulesThatBeginAlike) {
  const CharacterMap map(serialized_map(chain(32)));
  map.check();
  EXPECT_EQ(map.find(std::string(40, 'a'))->num_bytes, 32U);
}

// A circle without a value: the library takes it for a map without rules.
TEST(CharacterMapTest, AMapThatLeadsToItselfIsRefusedAsAWhole) {
  std::vector<uint32_t> units(512);
  units[0] = unit(256, false, 0);
  for (uint32_t byte = 0; byte < 256; ++byte) units[256 + byte] = unit(256, false, byte);
  EXPECT_THROW(CharacterMap(serialized_map(units)).check(), ModelError);
}

// A damaged map may give any result, but must be read within its bounds.
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
