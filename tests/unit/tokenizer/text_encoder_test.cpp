#include "pdl/tokenizer/text_encoder.h"

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <random>

#include "pdl/base/file.h"
#include "support/byte_tokenizer.h"
#include "support/sentencepiece_reference.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

std::vector<int32_t> encode(TextEncoder& encoder, std::string_view text) {
  std::vector<int32_t> ids;
  encoder.encode(text, /*begins=*/true, ids);
  return ids;
}

// Text with every difficulty: spaces of all kinds and numbers, unknown characters, characters that
// normalisation changes or removes, the sign of a space, control characters.
std::string random_text(std::mt19937& random, size_t num_parts) {
  static const std::vector<std::string> parts = {" ",
                                                 " ",
                                                 " ",
                                                 " ",
                                                 " ",
                                                 "  ",
                                                 "   ",
                                                 "\n",
                                                 "\t",
                                                 "\r\n",
                                                 "\xc2\xa0",
                                                 "\xe3\x80\x80",
                                                 "\xe2\x96\x81",
                                                 "\xe2\x80\x8b",
                                                 std::string(1, '\0'),
                                                 "\x07",
                                                 "the",
                                                 "cat",
                                                 "Cat",
                                                 "on",
                                                 "a",
                                                 "mat",
                                                 "e",
                                                 "\xc3\xa9",
                                                 "e\xcc\x81",
                                                 "\xcc\x81",
                                                 "\xe4\xbd\xa0\xe5\xa5\xbd",
                                                 "\xf0\x9f\x98\x80",
                                                 "\xef\xac\x81",
                                                 "\xc2\xbd",
                                                 "\xef\xbc\xa1",
                                                 "12",
                                                 "3",
                                                 ".",
                                                 ",",
                                                 "!",
                                                 "--",
                                                 "'s",
                                                 "<s>",
                                                 "</s>",
                                                 "<unk>",
                                                 "<0x41>",
                                                 "<user>",
                                                 "ab ba",
                                                 "\xe1\xba\x9b\xcc\xa3",
                                                 "\xc2\xa8"};
  std::string text;
  std::uniform_int_distribution<size_t> choose(0, parts.size() - 1);
  for (size_t i = 0; i < num_parts; ++i) text += parts[choose(random)];
  return text;
}

std::vector<std::string> training_text() {
  std::mt19937 random(5);
  std::vector<std::string> sentences;
  for (int i = 0; i < 300; ++i) {
    std::string sentence;
    for (int word = 0; word < 12; ++word) {
      for (auto length = 1 + random() % 6; length > 0; --length) {
        sentence += static_cast<char>('a' + random() % 9);
      }
      sentence += random() % 7 == 0 ? "  " : " ";
    }
    sentences.push_back(sentence + "the cat, the mat \xc3\xa9t\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd.");
  }
  return sentences;
}

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::vector<std::string> sentences) : sentences_(std::move(sentences)) {}
  bool done() const override { return next_ == sentences_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return sentences_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> sentences_;
  size_t next_ = 0;
};

using Options = std::unordered_map<std::string, std::string>;

struct Trained {
  std::unique_ptr<Tokenizer> tokenizer;
  SentencePieceReference reference;
};

Trained train(const TempFolder& folder, const Options& options,
              std::vector<std::string> text = training_text()) {
  Options all = {{"vocab_size", "350"},
                 {"minloglevel", "2"},
                 {"num_threads", "1"},
                 {"hard_vocab_limit", "false"}};
  for (const auto& [key, value] : options) all[key] = value;
  Sentences sentences(std::move(text));
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(all, &sentences, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  write_file_durably(folder / "tokenizer.model", model);
  return {load_tokenizer(folder / "tokenizer.model"), SentencePieceReference(model)};
}

struct Kind {
  const char* name;
  Options options;
  bool has_words;
};

std::vector<Kind> kinds() {
  return {
      {"plain",
       {{"model_type", "bpe"},
        {"byte_fallback", "true"},
        {"normalization_rule_name", "identity"},
        {"remove_extra_whitespaces", "false"}},
       true},
      {"unknown characters",
       {{"model_type", "bpe"}, {"normalization_rule_name", "identity"}},
       true},
      {"no prefix",
       {{"model_type", "bpe"},
        {"add_dummy_prefix", "false"},
        {"byte_fallback", "true"},
        {"normalization_rule_name", "identity"}},
       true},
      {"normalised", {{"model_type", "bpe"}}, true},
      {"normalised, no prefix", {{"model_type", "bpe"}, {"add_dummy_prefix", "false"}}, true},
      {"folded, no prefix",
       {{"model_type", "bpe"},
        {"add_dummy_prefix", "false"},
        {"normalization_rule_name", "nmt_nfkc_cf"},
        {"byte_fallback", "true"}},
       true},
      {"normalised, blanks kept, no prefix",
       {{"model_type", "bpe"},
        {"add_dummy_prefix", "false"},
        {"remove_extra_whitespaces", "false"}},
       true},
      {"normalised, blanks kept",
       {{"model_type", "bpe"}, {"remove_extra_whitespaces", "false"}},
       true},
      {"folded",
       {{"model_type", "bpe"},
        {"normalization_rule_name", "nmt_nfkc_cf"},
        {"byte_fallback", "true"}},
       true},
      {"user's symbols", {{"model_type", "bpe"}, {"user_defined_symbols", "<user>,ab"}}, true},
      {"a user's symbol over words",
       {{"model_type", "bpe"}, {"user_defined_symbols", "ab ba"}},
       false},
      {"blanks alone",
       {{"model_type", "bpe"},
        {"allow_whitespace_only_pieces", "true"},
        {"remove_extra_whitespaces", "false"},
        {"normalization_rule_name", "identity"}},
       true},
      {"over words", {{"model_type", "bpe"}, {"split_by_whitespace", "false"}}, false},
      {"suffix", {{"model_type", "bpe"}, {"treat_whitespace_as_suffix", "true"}}, false},
      {"unigram", {{"model_type", "unigram"}}, false},
      {"unigram, plain",
       {{"model_type", "unigram"},
        {"byte_fallback", "true"},
        {"normalization_rule_name", "identity"},
        {"remove_extra_whitespaces", "false"}},
       false},
      {"unigram, no prefix",
       {{"model_type", "unigram"},
        {"add_dummy_prefix", "false"},
        {"normalization_rule_name", "identity"}},
       false},
      {"unigram, normalised, no prefix",
       {{"model_type", "unigram"}, {"add_dummy_prefix", "false"}},
       false},
      {"unigram, blanks kept, no prefix",
       {{"model_type", "unigram"},
        {"add_dummy_prefix", "false"},
        {"remove_extra_whitespaces", "false"}},
       false},
      {"unigram, blanks kept",
       {{"model_type", "unigram"}, {"remove_extra_whitespaces", "false"}},
       false},
      {"unigram, folded",
       {{"model_type", "unigram"},
        {"normalization_rule_name", "nmt_nfkc_cf"},
        {"byte_fallback", "true"}},
       false},
      {"unigram, composed",
       {{"model_type", "unigram"}, {"normalization_rule_name", "nfkc"}},
       false},
      {"unigram, user's symbols",
       {{"model_type", "unigram"}, {"user_defined_symbols", "<user>,ab,\xc2\xbd"}},
       false},
      {"unigram, a user's symbol over words",
       {{"model_type", "unigram"}, {"user_defined_symbols", "ab ba"}},
       false},
      {"unigram, blanks alone",
       {{"model_type", "unigram"},
        {"allow_whitespace_only_pieces", "true"},
        {"remove_extra_whitespaces", "false"}},
       false},
      {"unigram, over words", {{"model_type", "unigram"}, {"split_by_whitespace", "false"}}, false},
      {"unigram, suffix",
       {{"model_type", "unigram"}, {"treat_whitespace_as_suffix", "true"}},
       false},
      {"characters", {{"model_type", "char"}}, false},
  };
}

TEST(TextEncoderTest, GivesTheIdsOfTheLibraryForEveryKindOfModel) {
  const TempFolder folder;
  for (const Kind& kind : kinds()) {
    const auto [tokenizer, reference] = train(folder, kind.options);
    EXPECT_EQ(tokenizer->has_words(), kind.has_words) << kind.name;
    TextEncoder encoder(*tokenizer);
    std::mt19937 random(6);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_text(random, random() % 12);
      ASSERT_EQ(encode(encoder, text), reference.encode(text)) << kind.name << ": '" << text << "'";
    }
    for (int i = 0; i < 100; ++i) {
      std::string word = random_text(random, 300);
      std::erase(word, ' ');
      ASSERT_EQ(encode(encoder, word), reference.encode(word)) << kind.name << ": '" << word << "'";
    }
    const std::string long_word(100'000, 'a');
    EXPECT_EQ(encode(encoder, long_word), reference.encode(long_word)) << kind.name;
    const std::string long_text = random_text(random, 30'000);
    EXPECT_TRUE(encode(encoder, long_text) == reference.encode(long_text)) << kind.name;
  }
}

// Characters that are a space or nothing once they are normalised, before and after little.
TEST(TextEncoderTest, WhiteSpaceAroundATextIsThatOfTheLibrary) {
  const TempFolder folder;
  const std::vector<std::string> blanks = {"",
                                           " ",
                                           "\t",
                                           "\n",
                                           "\r\n",
                                           "\xc2\xa0",
                                           "\x01",
                                           "\x7f",
                                           "\xc2\xad",
                                           "\xe2\x80\x83",
                                           "\xe2\x80\x8b",
                                           "\xe2\x80\xa8",
                                           "\xe3\x80\x80",
                                           "\xe2\x96\x81",
                                           "\xef\xbb\xbf",
                                           std::string(1, '\0')};
  for (const Kind& kind : kinds()) {
    const auto [tokenizer, reference] = train(folder, kind.options);
    TextEncoder encoder(*tokenizer);
    for (const std::string& first : blanks) {
      for (const std::string& second : blanks) {
        for (const std::string middle : {"", "a", "\xe2\x96\x81"}) {
          for (const std::string& text : {first + second + middle, first + middle + second,
                                          middle + first + second + middle}) {
            ASSERT_EQ(encode(encoder, text), reference.encode(text))
                << kind.name << ": '" << text << "'";
          }
        }
      }
    }
  }
}

// What is written before the first word of a text is not written before its continuation.
TEST(TextEncoderTest, ATextAndItsContinuationSpellTheWhole) {
  const TempFolder folder;
  const std::vector<std::string> parts = {" ",   " ", "  ",  "   ", "the",
                                          "cat", "a", "the", "mat", "."};
  for (const Kind& kind : kinds()) {
    if (kind.options.contains("treat_whitespace_as_suffix")) continue;
    const auto [tokenizer, reference] = train(folder, kind.options);
    TextEncoder encoder(*tokenizer);
    const auto spell = [&, tokenizer = tokenizer.get()](std::string_view text, bool begins) {
      std::vector<int32_t> ids;
      encoder.encode(text, begins, ids);
      EXPECT_EQ(tokenizer->encode(text, begins), ids) << kind.name << ": '" << text << "'";
      std::string spelled;
      for (const int32_t id : ids) spelled += tokenizer->piece(id);
      return spelled;
    };
    std::mt19937 random(9);
    for (int i = 0; i < 300; ++i) {
      std::string text = parts[4 + random() % 6];
      for (auto size = random() % 4; size > 0; --size) text += parts[random() % parts.size()];
      std::string next;
      for (auto size = random() % 5; size > 0; --size) next += parts[random() % parts.size()];
      const size_t size = tokenizer->size_without_dropped_end(text);
      const std::string whole = text + next;
      ASSERT_EQ(spell(text, true) + spell(std::string_view(whole).substr(size), false),
                spell(whole, true))
          << kind.name << ": '" << text << "' and '" << next << "'";
    }
  }
}

TEST(TextEncoderTest, ADocumentMayBeCutWhereTheTokenizerSays) {
  const TempFolder folder;
  for (const Kind& kind : kinds()) {
    if (!kind.has_words) continue;
    const auto [tokenizer, reference] = train(folder, kind.options);
    TextEncoder encoder(*tokenizer);
    std::mt19937 random(7);
    int num_cuts = 0;
    for (int i = 0; i < 300; ++i) {
      const std::string text = random_text(random, 200);
      std::vector<int32_t> ids;
      size_t begin = 0;
      while (true) {
        const std::string_view rest = std::string_view(text).substr(begin);
        const size_t cut = tokenizer->find_cut(rest, random() % 20);
        encoder.encode(rest.substr(0, cut), begin == 0, ids);
        if (cut == std::string_view::npos) break;
        ASSERT_LT(cut, rest.size());
        ++num_cuts;
        begin += cut;
      }
      ASSERT_EQ(ids, reference.encode(text)) << kind.name << ": '" << text << "'";
    }
    if (std::string(kind.name) == "plain") {
      EXPECT_GT(num_cuts, 1000);
    }
  }
}

// Pieces of several spaces also match the sign of a space, or a character that becomes one, before
// a space in the text.
TEST(TextEncoderTest, ABlankAfterWhatBecomesOneBelongsToTheSameWord) {
  const TempFolder folder;
  std::vector<std::string> sentences;
  for (int i = 0; i < 400; ++i) {
    sentences.push_back("the cat  sat   on " + std::to_string(i) + "  the mat    and  a   dog");
  }
  const std::vector<std::string> parts = {" ",   " ", "\xe2\x96\x81", "\n", "\x01",
                                          "the", "a", "mat"};
  for (const std::string type : {"bpe", "unigram"}) {
    for (const std::string remove : {"false", "true"}) {
      for (const std::string rule : {"identity", "nmt_nfkc"}) {
        const auto [tokenizer, reference] = train(folder,
                                                  {{"model_type", type},
                                                   {"vocab_size", "120"},
                                                   {"allow_whitespace_only_pieces", "true"},
                                                   {"remove_extra_whitespaces", remove},
                                                   {"normalization_rule_name", rule}},
                                                  sentences);
        TextEncoder encoder(*tokenizer);
        std::mt19937 random(8);
        for (int i = 0; i < 3000; ++i) {
          std::string text;
          for (auto size = random() % 10; size > 0; --size) text += parts[random() % parts.size()];
          ASSERT_EQ(encode(encoder, text), reference.encode(text))
              << type << ", " << rule << " '" << text << "'";
        }
      }
    }
  }
}

TEST(TextEncoderTest, TheEmptyTextHasNoIds) {
  const ByteTokenizer tokenizer;
  TextEncoder encoder(tokenizer);
  EXPECT_EQ(encode(encoder, ""), std::vector<int32_t>());
}

}  // namespace
}  // namespace pdl
