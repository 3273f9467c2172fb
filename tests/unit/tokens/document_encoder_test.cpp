#include "tokens/document_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/byte_tokenizer.h"
#include "support/corpus_of.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;

int32_t id(char byte) { return ByteTokenizer::kFirstByte + byte; }

// Also merges "ab" into one token, and knows a control token by its written form.
class PairTokenizer : public ByteTokenizer {
 public:
  static constexpr int32_t kPair = 500;
  static constexpr int32_t kControl = 501;

  bool has_words() const override { return false; }
  int64_t size() const override { return 502; }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    for (const int32_t next : ByteTokenizer::encode(text)) {
      if (next == id('b') && !ids.empty() && ids.back() == id('a')) {
        ids.back() = kPair;
      } else {
        ids.push_back(next);
      }
    }
    return ids;
  }
  std::optional<int32_t> control_id(std::string_view written) const override {
    return written == "<c>" ? std::optional<int32_t>(kControl) : std::nullopt;
  }
};

std::vector<Token> encode(const Document& document, const TextOptions& options) {
  const PairTokenizer tokenizer;
  std::vector<Token> tokens;
  DocumentEncoder(tokenizer, options).encode(document, tokens);
  return tokens;
}

std::vector<int> trained(std::span<const Token> tokens) {
  std::vector<int> all;
  for (const Token& token : tokens) all.push_back(token.is_trained());
  return all;
}

TEST(DocumentEncoderTest, TextCarriesBosAndEosAsAsked) {
  const ByteTokenizer tokenizer;
  std::vector<Token> tokens;
  DocumentEncoder(tokenizer, {.add_bos = true}).encode("ab", tokens);
  EXPECT_THAT(ids_of(tokens), ElementsAre(1, id('a'), id('b'), 2));
  EXPECT_THAT(trained(tokens), ElementsAre(1, 1, 1, 1));
  tokens.clear();
  DocumentEncoder(tokenizer, {.add_eos = false}).encode("ab", tokens);
  EXPECT_THAT(ids_of(tokens), ElementsAre(id('a'), id('b')));
}

TEST(DocumentEncoderTest, APromptIsNotTrained) {
  const Document document{.parts = {{"x", false}, {"yz", true}}};
  const std::vector<Token> tokens = encode(document, {.add_bos = true});
  EXPECT_THAT(ids_of(tokens), ElementsAre(1, id('x'), id('y'), id('z'), 2));
  EXPECT_THAT(trained(tokens), ElementsAre(0, 0, 1, 1, 1));
}

TEST(DocumentEncoderTest, NoTokenBelongsToTwoParts) {
  // "ab" would be one token
  const Document document{.parts = {{"xa", false}, {"by", true}}};
  const std::vector<Token> tokens = encode(document, {.add_eos = false});
  EXPECT_THAT(ids_of(tokens), ElementsAre(id('x'), id('a'), id('b'), id('y')));
  EXPECT_THAT(trained(tokens), ElementsAre(0, 0, 1, 1));
}

TEST(DocumentEncoderTest, PartsThatAreTrainedAlikeAreOneText) {
  const Document document{.parts = {{"xa", true}, {"by", true}}};
  EXPECT_THAT(ids_of(encode(document, {.add_eos = false})),
              ElementsAre(id('x'), PairTokenizer::kPair, id('y')));
}

TEST(DocumentEncoderTest, AChatHasItsOwnControlTokens) {
  const Document document{.parts = {{"<c>", false, true},
                                    {"a", false},
                                    {"b", true},
                                    {"<c>", true, true},
                                    {"<d>", false, true}},
                          .is_chat = true};
  const std::vector<Token> tokens = encode(document, {.add_bos = true});
  EXPECT_THAT(ids_of(tokens), ElementsAre(PairTokenizer::kControl, id('a'), id('b'),
                                          PairTokenizer::kControl, id('<'), id('d'), id('>')));
  EXPECT_THAT(trained(tokens), ElementsAre(0, 0, 1, 1, 0, 0, 0));
}

TEST(DocumentEncoderTest, EmptyPartsHaveNoTokens) {
  const Document document{.parts = {{"", false}, {"y", true}}};
  EXPECT_THAT(trained(encode(document, {})), ElementsAre(1, 1));
  EXPECT_THAT(trained(encode({.parts = {{"x", false}, {"", true}}}, {})), ElementsAre(0, 1));
}

TEST(DocumentEncoderTest, ATokenThatTheTokenizerLacksIsAModelError) {
  const ByteTokenizer tokenizer(/*has_bos=*/false);
  EXPECT_THROW(DocumentEncoder(tokenizer, {.add_bos = true}), ModelError);
}

}  // namespace
}  // namespace pdl
