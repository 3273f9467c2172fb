// Rendered chats: ids are those of the whole text, and which of them are trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/json_tokenizer_files.h"
#include "tokens/document_encoder.h"
#include "tokens/token_ends.h"

namespace pdl::tokenizer_files {
namespace {

using ::testing::ElementsAre;

// Letters, blanks and newlines as byte-level tokens, "ab", "\n\n" and the control tokens <|e|>,
// <|u|>.
json byte_level_file() {
  json file = whole_file({{"type", "ByteLevel"},
                          {"add_prefix_space", false},
                          {"trim_offsets", false},
                          {"use_regex", false}});
  file["model"] = json::parse(R"({"type": "BPE", "dropout": null, "unk_token": null,
      "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
      "continuing_subword_prefix": null, "end_of_word_suffix": null,
      "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "Ċ": 4, "ab": 5, "ĊĊ": 6, "<": 7, "|": 8, ">": 9,
                "x": 10},
      "merges": [["a", "b"], ["Ċ", "Ċ"]]})");
  file["added_tokens"] = {added_token(11, "<|e|>"), added_token(12, "<|u|>")};
  return file;
}

class RenderedMaskTest : public JsonTokenizerTest {
 protected:
  // The pieces of the tokens, with "+" before those that are trained.
  std::vector<std::string> encoded(std::vector<DocumentPart> parts) {
    const auto tokenizer = load(byte_level_file());
    DocumentEncoder encoder(*tokenizer, {.add_eos = false});
    Document document;
    document.parts = std::move(parts);
    document.is_chat = true;
    document.is_rendered = true;
    std::vector<Token> tokens;
    encoder.encode(document, tokens);
    notes_ = encoder.notes();
    std::vector<std::string> shown;
    for (const Token& token : tokens) {
      shown.push_back((token.is_trained() ? "+" : "") + tokenizer->piece(token.id()));
    }
    return shown;
  }

  CorpusNotes notes_;
};

DocumentPart rest(std::string text) { return {.text = std::move(text), .trained = false}; }
DocumentPart response(std::string text, bool trained = true) {
  return {.text = std::move(text), .trained = trained, .is_response = true, .takes_end = true};
}

TEST_F(RenderedMaskTest, TrainsTheResponseAndTheControlTokenAfterIt) {
  EXPECT_THAT(encoded({rest("<|u|>c\n"), response("ab c"), rest("<|e|>\n")}),
              ElementsAre("<|u|>", "c", "Ċ", "+ab", "+Ġ", "+c", "+<|e|>", "Ċ"));
}

TEST_F(RenderedMaskTest, WhiteSpaceMayLieBetweenAndIsNotTrained) {
  EXPECT_THAT(encoded({response("c"), rest(" <|e|><|u|>")}),
              ElementsAre("+c", "Ġ", "+<|e|>", "<|u|>"));
  EXPECT_THAT(encoded({response("c"), rest(" a<|e|>")}), ElementsAre("+c", "Ġ", "a", "<|e|>"));
}

TEST_F(RenderedMaskTest, ATokenThatReachesIntoAResponseIsTrained) {
  EXPECT_THAT(encoded({rest("ca"), response("b\n"), rest("\n<|e|>")}),
              ElementsAre("c", "+ab", "+ĊĊ", "+<|e|>"));
}

TEST_F(RenderedMaskTest, OfAnEmptyResponseTheEndIsTrained) {
  EXPECT_THAT(encoded({rest("c\n"), response(""), rest("<|e|>")}), ElementsAre("c", "Ċ", "+<|e|>"));
  EXPECT_THAT(encoded({rest("a"), response(""), rest("b<|e|>")}), ElementsAre("ab", "<|e|>"));
}

TEST_F(RenderedMaskTest, AResponseThatIsNotTrainedKeepsItsEnd) {
  DocumentPart before = rest("c");
  before.trained = true;
  DocumentPart after = rest("<|e|>\n");
  after.trained = true;
  EXPECT_THAT(encoded({before, response("ab", false), after}),
              ElementsAre("+c", "ab", "<|e|>", "+Ċ"));
}

TEST_F(RenderedMaskTest, CountsControlTokensThatAreSpeltOut) {
  DocumentPart control = rest("<|x|>");
  control.is_control = true;
  DocumentPart whole = rest("<|e|>");
  whole.is_control = true;
  encoded({control, response("c"), whole});
  EXPECT_EQ(notes_.spelt_chats, 1);
  EXPECT_THAT(notes_.spelt_controls, ElementsAre("<|x|>"));
}

TEST_F(JsonTokenizerTest, TokenEndsFollowATextThatTheTokenizerChanges) {
  const auto ends = [&](const json& file, std::string_view text) {
    const auto tokenizer = load(file);
    const std::vector<int32_t> ids = tokenizer->encode(text);
    return find_token_ends(*tokenizer, text, ids);
  };
  // "▁ab", "c": a space is put before the text.
  EXPECT_THAT(ends(whole_file(metaspace("always", true)), "abc"), ElementsAre(2, 3));
  EXPECT_THAT(ends(whole_file(metaspace("never", true)), "ab ab"), ElementsAre(2, 5));
  // é in two characters becomes one.
  EXPECT_THAT(ends(whole_file(nullptr, {{"type", "NFC"}}), "ae\u0301ab"), ElementsAre(1, 4, 6));
}

}  // namespace
}  // namespace pdl::tokenizer_files
