#include "pdl/tokens/corpus_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeclaringTokenizer : public ByteTokenizer {
 public:
  DeclaredTokens declared_tokens() const override { return declared; }
  DeclaredTokens declared;
};

CorpusNotes notes_of_all_kinds() {
  return {.bounded = 7,
          .doubled_bos = 2,
          .doubled_eos = 3,
          .spelt_chats = 1,
          .spelt_controls = {"<|im_end|>", "\"quoted\""},
          .other_fields = {"id", "url"}};
}

TEST(CorpusNotesTest, AreReadBackAsTheyWereWritten) {
  for (const CorpusNotes& notes : {CorpusNotes{}, notes_of_all_kinds()}) {
    EXPECT_EQ(parse_corpus_notes(to_json(notes)), notes);
  }
}

TEST(CorpusNotesTest, WhatIsDamagedIsNotRead) {
  const std::string good = to_json(notes_of_all_kinds());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(parse_corpus_notes(good.substr(0, size)), std::nullopt);
  }
  for (const std::string count : {"-7", "1.5", "1e400", "18446744073709551616", "\"7\"", "null"}) {
    std::string bad = good;
    bad.replace(bad.find(":7") + 1, 1, count);
    EXPECT_EQ(parse_corpus_notes(bad), std::nullopt) << bad;
  }
}

TEST(CorpusNotesTest, ASumDoesNotDependOnTheOrder) {
  std::vector<CorpusNotes> parts(30);
  for (size_t i = 0; i < parts.size(); ++i) {
    parts[i].bounded = static_cast<int64_t>(i);
    parts[i].doubled_eos = 1;
    parts[i].spelt_controls = {"<" + std::to_string(i % 3) + ">"};
    parts[i].add_other_field("field " + std::to_string(100 - i));
    parts[i].add_other_field("\x01 of all");
  }
  CorpusNotes forward, backward, in_pairs;
  for (size_t i = 0; i < parts.size(); ++i) {
    forward.add(parts[i]);
    backward.add(parts[parts.size() - 1 - i]);
    if (i % 2 == 0) continue;
    CorpusNotes pair = parts[i];
    pair.add(parts[i - 1]);
    in_pairs.add(pair);
  }
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(forward, in_pairs);
  EXPECT_EQ(forward.bounded, 29 * 30 / 2);
  EXPECT_EQ(forward.doubled_eos, 30);
  EXPECT_THAT(forward.spelt_controls, ElementsAre("<0>", "<1>", "<2>"));
  EXPECT_EQ(forward.other_fields.size(), CorpusNotes::kMaxFields);
  EXPECT_EQ(*forward.other_fields.begin(), "\\u{1} of all");
}

TEST(CorpusNotesTest, EachTrapIsOneLine) {
  const ByteTokenizer tokenizer;
  const TextOptions options{.chat_template = "llama3", .add_bos = true};
  EXPECT_THAT(
      special_token_warnings(notes_of_all_kinds(), tokenizer, options),
      ElementsAre(HasSubstr("2 of 7 documents begin with <special> already, and add_bos adds"),
                  HasSubstr("3 of 7 documents end with <special> already, and add_eos adds"),
                  HasSubstr("lacks \"quoted\", <|im_end|> of chat_template llama3: they are spelt "
                            "out in several tokens in 1 chat;")));
  CorpusNotes good = notes_of_all_kinds();
  good.doubled_bos = good.doubled_eos = good.spelt_chats = 0;
  EXPECT_THAT(special_token_warnings(good, tokenizer, options), IsEmpty());
}

TEST(CorpusNotesTest, DeclaredTokensAreComparedWithTheKeys) {
  DeclaringTokenizer tokenizer;
  for (const bool declared : {true, false}) {
    for (const bool adds : {true, false}) {
      tokenizer.declared = {};
      tokenizer.declared.bos = DeclaredToken{declared, "the file says so"};
      const auto lines = declared_token_warnings(5, tokenizer, {.add_bos = adds});
      if (declared == adds) {
        EXPECT_THAT(lines, IsEmpty());
        continue;
      }
      EXPECT_THAT(lines,
                  ElementsAre(HasSubstr("the file says so, which is not heeded: add_bos is " +
                                        std::string(adds ? "true" : "false") +
                                        ", and that counts for 5 documents; set add_bos to " +
                                        std::string(declared ? "true" : "false"))));
      std::swap(tokenizer.declared.bos, tokenizer.declared.eos);
      EXPECT_THAT(declared_token_warnings(5, tokenizer, {.add_eos = adds}),
                  ElementsAre(HasSubstr("set add_eos to")));
      EXPECT_THAT(declared_token_warnings(0, tokenizer, {.add_eos = adds}), IsEmpty());
    }
  }
  tokenizer.declared = {};
  EXPECT_THAT(declared_token_warnings(5, tokenizer, {.add_bos = true}), IsEmpty());
}

}  // namespace
}  // namespace pdl
