#include "tokens/document_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

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
  std::vector<int32_t> encode(std::string_view text, bool) const override {
    std::vector<int32_t> ids;
    for (const int32_t next : ByteTokenizer::encode(text, true)) {
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

TEST(DocumentEncoderTest, PartsOfAChatThatAreTrainedAlikeAreOneText) {
  const Document document{.parts = {{"xa", true}, {"by", true}}, .is_chat = true};
  EXPECT_THAT(ids_of(encode(document, {.add_eos = false})),
              ElementsAre(id('x'), PairTokenizer::kPair, id('y')));
}

TEST(DocumentEncoderTest, APromptThatIsTrainedHasTheSameTokens) {
  const Document document{.parts = {{"xa", true}, {"by", true}}};
  const std::vector<Token> tokens = encode(document, {.add_eos = false});
  EXPECT_THAT(ids_of(tokens), ElementsAre(id('x'), id('a'), id('b'), id('y')));
  EXPECT_THAT(trained(tokens), ElementsAre(1, 1, 1, 1));
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

// Knows "$" as eos and "^" as bos in the text, and "<one>" as one token.
class MarkTokenizer : public ByteTokenizer {
 public:
  static constexpr int32_t kOne = 300;

  bool has_words() const override { return false; }
  std::vector<int32_t> encode(std::string_view text, bool begins) const override {
    if (text.starts_with("<one>")) {
      std::vector<int32_t> ids = encode(text.substr(5), begins);
      ids.insert(ids.begin(), kOne);
      return ids;
    }
    std::vector<int32_t> ids = ByteTokenizer::encode(text, begins);
    for (int32_t& next : ids) next = next == id('$') ? 2 : next == id('^') ? 1 : next;
    return ids;
  }
  std::string piece(int32_t token) const override {
    if (token == kOne) return "<one>";
    return token == 1 ? "<s>" : token == 2 ? "</s>" : ByteTokenizer::piece(token);
  }
  std::optional<int32_t> control_id(std::string_view written) const override {
    return written == "<c>" ? std::optional<int32_t>(0) : std::nullopt;
  }
};

CorpusNotes notes_of(const std::vector<Document>& documents, const TextOptions& options) {
  const MarkTokenizer tokenizer;
  DocumentEncoder encoder(tokenizer, options);
  std::vector<Token> tokens;
  for (const Document& document : documents) encoder.encode(document, tokens);
  CorpusNotes notes = encoder.notes();
  // A text alone is noted as the record of it.
  DocumentEncoder of_texts(tokenizer, options);
  for (const Document& document : documents) {
    if (document.is_chat || document.parts.size() > 1) continue;
    of_texts.encode(document.parts[0].text, tokens);
    notes.bounded -= 1;
  }
  EXPECT_EQ(notes.bounded + of_texts.notes().bounded, encoder.notes().bounded);
  notes.bounded = encoder.notes().bounded;
  return notes;
}

Document text(const std::string& content) { return {.parts = {{content}}}; }

TEST(DocumentEncoderTest, AnEosThatIsThereAlreadyIsNoted) {
  const std::vector<Document> doubled = {text("a$"),
                                         text("a</s>"),
                                         text("a</s> \n"),
                                         text("$"),
                                         {.parts = {{"p", false}, {"c$"}}},
                                         {.parts = {{"p", false}, {"c</s>\n"}}},
                                         {.parts = {{"p$", false}, {""}}}};
  const std::vector<Document> right = {text("a"),
                                       text("$a"),
                                       text("</s>a"),
                                       text("a$ b"),
                                       text("a</s>."),
                                       text(""),
                                       {.parts = {{"p$", false}, {"c"}}},
                                       {.parts = {{"a"}, {"</s>", true, true}}, .is_chat = true}};
  const int64_t all = std::ssize(doubled);
  EXPECT_EQ(notes_of(doubled, {}), (CorpusNotes{.bounded = all, .doubled_eos = all}));
  EXPECT_EQ(notes_of(doubled, {.add_eos = false}), (CorpusNotes{.bounded = all}));
  CorpusNotes expected{.bounded = std::ssize(right) - 1, .spelt_chats = 1};
  expected.spelt_controls = {"</s>"};
  EXPECT_EQ(notes_of(right, {}), expected);
}

TEST(DocumentEncoderTest, ABosThatIsThereAlreadyIsNoted) {
  const std::vector<Document> doubled = {text("^a"),
                                         text("<s>a"),
                                         text("\n <s>a"),
                                         text("^"),
                                         {.parts = {{"^p", false}, {"c"}}},
                                         {.parts = {{"<s>p", false}, {"c"}}},
                                         {.parts = {{"", false}, {"^c"}}}};
  const std::vector<Document> right = {
      text("a"), text("a^"), text(".<s>a"), text(""), {.parts = {{"p", false}, {"^c"}}}};
  const int64_t all = std::ssize(doubled);
  EXPECT_EQ(notes_of(doubled, {.add_bos = true}),
            (CorpusNotes{.bounded = all, .doubled_bos = all}));
  EXPECT_EQ(notes_of(doubled, {}), (CorpusNotes{.bounded = all}));
  EXPECT_EQ(notes_of(right, {.add_bos = true}), (CorpusNotes{.bounded = std::ssize(right)}));
}

TEST(DocumentEncoderTest, TheEndsOfADocumentThatComesInPartsAreNotedOnce) {
  const MarkTokenizer tokenizer;
  DocumentEncoder encoder(tokenizer, {.add_bos = true});
  std::vector<Token> tokens;
  encoder.encode("^a$", tokens, true, false);
  encoder.encode("^b$", tokens, false, false);
  encoder.encode("^c", tokens, false, true);
  EXPECT_EQ(encoder.notes(), (CorpusNotes{.bounded = 1, .doubled_bos = 1}));
}

TEST(DocumentEncoderTest, ControlTokensThatAreSpeltOutAreNoted) {
  const auto chat = [](const std::vector<std::string>& controls) {
    Document document{.parts = {{"text", true}}, .is_chat = true};
    for (const std::string& written : controls) document.parts.push_back({written, false, true});
    return document;
  };
  const CorpusNotes notes = notes_of(
      {chat({"<c>"}), chat({"<one>"}), chat({"<d>", "<c>", "<e>"}), chat({"<d>", "<d>"}), chat({})},
      {});
  EXPECT_EQ(notes.spelt_chats, 2);
  EXPECT_THAT(notes.spelt_controls, ElementsAre("<d>", "<e>"));
  EXPECT_EQ(notes.bounded, 0);
}

// Splits text before blanks and marks its begin. Optionally hides where text may be cut.
class BlankTokenizer : public PairTokenizer {
 public:
  explicit BlankTokenizer(bool has_words) : has_words_(has_words) {}

  bool has_words() const override { return has_words_; }
  std::vector<int32_t> encode(std::string_view text, bool begins) const override {
    if (text.empty()) return {};
    return PairTokenizer::encode((begins ? "^" : "") + std::string(text), begins);
  }
  void split(std::string_view text, bool begins, WordList& list) const override {
    num_bytes += text.size();
    if (begins) list.words.push_back({"^"});
    while (!text.empty()) {
      const size_t end = std::min(text.find(' ', 1), text.size());
      list.words.push_back({text.substr(0, end)});
      text.remove_prefix(end);
    }
  }
  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    const std::vector<int32_t> encoded = PairTokenizer::encode(word, true);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    return true;
  }
  size_t find_cut(std::string_view text, size_t from) const override {
    for (size_t at = std::max<size_t>(from, 1); at + 1 < text.size(); ++at) {
      if (text[at] == ' ' && text[at - 1] != ' ' && text[at + 1] != ' ') return at;
    }
    return std::string_view::npos;
  }

  mutable size_t num_bytes = 0;  // that were split

 private:
  bool has_words_;
};

TEST(DocumentEncoderTest, WhatComesAfterABoundaryInsideATokenHasNoBegin) {
  const Document document{.parts = {{"xa", false}, {"by", true}}};
  for (const bool has_words : {false, true}) {
    const BlankTokenizer tokenizer(has_words);
    std::vector<Token> tokens;
    DocumentEncoder(tokenizer, {.add_eos = false}).encode(document, tokens);
    EXPECT_THAT(ids_of(tokens), ElementsAre(id('^'), id('x'), id('a'), id('b'), id('y')));
  }
}

// Drops blanks at the end of a text, and merges "a" and a blank into one token.
class TrimmingTokenizer : public ByteTokenizer {
 public:
  bool has_words() const override { return false; }
  int64_t size() const override { return 501; }
  std::vector<int32_t> encode(std::string_view text, bool begins) const override {
    std::vector<int32_t> ids;
    for (const int32_t next :
         ByteTokenizer::encode(text.substr(0, size_without_dropped_end(text)), begins)) {
      if (next == id(' ') && !ids.empty() && ids.back() == id('a')) {
        ids.back() = 500;
      } else {
        ids.push_back(next);
      }
    }
    return ids;
  }
  size_t size_without_dropped_end(std::string_view text) const override {
    return text.find_last_not_of(' ') + 1;
  }
};

TEST(DocumentEncoderTest, BlanksThatAPromptLosesBelongToTheCompletion) {
  const TrimmingTokenizer tokenizer;
  for (const auto& [prompt, completion] :
       {std::pair<std::string, std::string>("xa ", "by"), {"xa", " by"}}) {
    std::vector<Token> tokens;
    DocumentEncoder(tokenizer, {.add_eos = false})
        .encode({.parts = {{prompt, false}, {completion, true}}}, tokens);
    EXPECT_THAT(ids_of(tokens), ElementsAre(id('x'), id('a'), id(' '), id('b'), id('y')));
    EXPECT_THAT(trained(tokens), ElementsAre(0, 0, 1, 1, 1));
  }
}

Document random_turns(size_t number, std::mt19937& random) {
  Document document{.parts = {}, .is_chat = true};
  for (size_t i = 0; i < number; ++i) {
    DocumentPart part{"", i % 2 == 1};
    for (size_t length = random() % 80; length > 0; --length) part.text += "aabbc "[random() % 6];
    document.parts.push_back(part);
  }
  return document;
}

TEST(DocumentEncoderTest, CutsInALongChatChangeNoToken) {
  std::mt19937 random(5);
  const BlankTokenizer whole(/*has_words=*/false);
  const BlankTokenizer cut(/*has_words=*/true);
  for (int trial = 0; trial < 100; ++trial) {
    const Document document = random_turns(random() % 60, random);
    std::vector<Token> expected;
    DocumentEncoder(whole, {}).encode(document, expected);
    std::vector<Token> tokens;
    DocumentEncoder(cut, {}).encode(document, tokens);
    ASSERT_EQ(tokens, expected) << trial;
  }
}

TEST(DocumentEncoderTest, TheTimeOfALongChatIsLinear) {
  Document document{.parts = {}, .is_chat = true};
  size_t size = 0;
  for (int turn = 0; turn < 2000; ++turn) {
    document.parts.push_back({"one two three four five six ", turn % 2 == 1});
    size += document.parts.back().text.size();
  }
  const BlankTokenizer tokenizer(/*has_words=*/true);
  std::vector<Token> tokens;
  DocumentEncoder(tokenizer, {}).encode(document, tokens);
  EXPECT_LT(tokenizer.num_bytes, 40 * size);
}

}  // namespace
}  // namespace pdl
