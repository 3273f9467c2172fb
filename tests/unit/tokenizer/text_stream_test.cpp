#include "pdl/tokenizer/text_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "pdl/base/random.h"
#include "pdl/base/unicode.h"
#include "pdl/tokenizer/sentencepiece_trainer.h"
#include "support/byte_tokenizer.h"
#include "support/json_tokenizer_files.h"
#include "tokenizer/sentencepiece_files.h"

namespace pdl::tokenizer_files {
namespace {

std::span<const int32_t> first(const Ids& ids, size_t size) { return std::span(ids).first(size); }

// The text of ids[num_prompt..] as it comes, joined; each piece must be UTF-8.
std::string streamed(const Tokenizer& tokenizer, const Ids& ids, size_t num_prompt) {
  TextStream stream(tokenizer, first(ids, num_prompt));
  std::string text;
  const auto add = [&](const std::string& piece) {
    EXPECT_EQ(find_invalid_utf8(piece), std::string::npos) << piece;
    text += piece;
  };
  for (size_t i = num_prompt; i < ids.size(); ++i) add(stream.push(ids[i]));
  add(stream.finish());
  return text;
}

// What follows the longest begin of whole characters that both texts have.
std::string without_begin(const std::string& text, const std::string& begin) {
  size_t size = 0;
  while (size < std::min(text.size(), begin.size()) && text[size] == begin[size]) ++size;
  while (size > 0 && size < text.size() && (text[size] & 0xc0) == 0x80) --size;
  return text.substr(size);
}

// Compares the pieces of random sequences, in which some ids are frequent, with whole decodings.
void expect_same_text(const Tokenizer& tokenizer, uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    const auto num_ids = static_cast<uint64_t>(tokenizer.size());
    Ids frequent;
    for (int i = 0; i < 4; ++i) frequent.push_back(static_cast<int32_t>(random.below(num_ids)));
    Ids ids;
    for (uint64_t size = random.below(40); ids.size() < size;) {
      const bool is_frequent = random.below(3) > 0;
      ids.push_back(is_frequent ? frequent[random.below(4)]
                                : static_cast<int32_t>(random.below(num_ids)));
    }
    const size_t num_prompt = round % 2 == 0 ? 0 : random.below(ids.size() + 1);
    const std::string prompt = tokenizer.decode(first(ids, num_prompt));
    ASSERT_EQ(streamed(tokenizer, ids, num_prompt), without_begin(tokenizer.decode(ids), prompt))
        << ::testing::PrintToString(ids) << " after a prompt of " << num_prompt;
  }
}

class TextStreamTest : public JsonTokenizerTest {
 protected:
  // A tokenizer of the bytes, in all ways to write them, and some words.
  std::unique_ptr<Tokenizer> load_with(const json& decoder) {
    json file = whole_file();
    json vocabulary = {{"<unk>", 0}};
    for (const char* piece :
         {"a",      " ",      "  ",     " a",     "aa",  "▁", "▁▁a", "##a", ".",
          " '",     " s",     "</w>",   "a</w>",  "",    "Ġ", "Ã",   "©",   "ä",
          "½",      "ł",      "ð",      "Ł",      "ĺ",   "Ģ", "é",   "日",  "<0xE4>",
          "<0xBD>", "<0xA0>", "<0x61>", "<0xFF>", "<p>", "|"}) {
      vocabulary.emplace(piece, vocabulary.size());
    }
    file["model"]["vocab"] = vocabulary;
    file["model"]["merges"] = json::array();
    file["added_tokens"] = {added_token(0, "<unk>")};
    file["decoder"] = decoder;
    return load(file);
  }
};

std::vector<json> decoders() {
  const json replaces = {{"type", "Replace"}, {"pattern", {{"String", "aa"}}}, {"content", "▁a"}};
  const json deletes = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}, {"content", ""}};
  const json strips = {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 2}};
  std::vector<json> all = {nullptr, replaces, deletes, strips, {{"type", "ByteLevel"}}};
  all.push_back({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}});
  all.push_back({{"type", "ByteFallback"}});
  all.push_back({{"type", "Fuse"}});
  all.push_back({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}});
  all.push_back({{"type", "BPEDecoder"}, {"suffix", "</w>"}});
  all.push_back(
      {{"type", "CTC"}, {"pad_token", "<p>"}, {"word_delimiter_token", "|"}, {"cleanup", true}});
  return all;
}

TEST_F(TextStreamTest, PiecesAreTheTextForEveryDecoder) {
  for (const json& decoder : decoders()) {
    SCOPED_TRACE(decoder.dump());
    expect_same_text(*load_with(decoder), 1);
  }
}

TEST_F(TextStreamTest, PiecesAreTheTextForSequencesOfDecoders) {
  Random random(2);
  std::vector<json> parts = decoders();
  parts.erase(parts.begin());  // null is no part of a sequence
  for (uint64_t seed = 0; seed < 40; ++seed) {
    json chosen = json::array();
    for (int i = 0; i < 4; ++i) chosen.push_back(parts[random.below(parts.size())]);
    const json decoder = {{"type", "Sequence"}, {"decoders", chosen}};
    SCOPED_TRACE(decoder.dump());
    expect_same_text(*load_with(decoder), seed);
  }
}

TEST_F(TextStreamTest, PiecesAreTheTextForSentencePiece) {
  using namespace sentencepiece_files;
  const std::string trained = train_sentencepiece_bpe({"lorem ipsum dolor", "sit amet 12"}, 290);
  std::vector<std::string> models = {trained};
  for (const auto& [dummy, extra] : {std::pair(0, 0), {0, 1}, {1, 0}, {1, 1}}) {
    models.push_back(trained + field(3, field(3, uint64_t(dummy)) + field(4, uint64_t(extra))));
  }
  models.push_back(trained + field(2, field(44, "")));  // nothing for unknown tokens
  for (const std::string& model : models) {
    expect_same_text(*load_tokenizer(folder_.file("t.model", model)), 3);
  }
}

TEST_F(TextStreamTest, ATokenizerWithoutAStreamGivesAllAtTheEnd) {
  const ByteTokenizer tokenizer;
  TextStream stream(tokenizer, tokenizer.encode("one, "));
  EXPECT_EQ(stream.push(tokenizer.encode("t")[0]), "");
  EXPECT_EQ(stream.push(2), "");
  EXPECT_EQ(stream.finish(), "t");
}

TEST_F(TextStreamTest, APieceComesAsSoonAsItIsCertain) {
  const auto bytes = load_with({{"type", "ByteLevel"}});
  TextStream stream(*bytes, std::span<const int32_t>());
  const auto id = [&](std::string_view written) {
    for (int32_t i = 0; i < bytes->size(); ++i) {
      if (bytes->piece(i) == written) return i;
    }
    return -1;
  };
  EXPECT_EQ(stream.push(id("a")), "a");
  EXPECT_EQ(stream.push(id("ä")), "");
  EXPECT_EQ(stream.push(id("½")), "");
  EXPECT_EQ(stream.push(id("ł")), "\u4f60");
  EXPECT_EQ(stream.push(id("ä")), "");
  EXPECT_EQ(stream.finish(), "\ufffd");
}

TEST_F(TextStreamTest, APromptMayEndInsideACharacter) {
  const auto bytes = load_with({{"type", "ByteLevel"}});
  Ids ids;
  for (const char* written : {"a", "ä", "½", "ł"}) {
    for (int32_t i = 0; i < bytes->size(); ++i) {
      if (bytes->piece(i) == written) ids.push_back(i);
    }
  }
  EXPECT_EQ(bytes->decode(first(ids, 3)), "a\ufffd");
  EXPECT_EQ(streamed(*bytes, ids, 3), "\u4f60");
  EXPECT_THROW(streamed(*bytes, Ids{1000}, 0), std::invalid_argument);
}

// A window that grew with the text, or with what has no text, would take minutes.
TEST_F(TextStreamTest, TakesTimeInProportionToTheLength) {
  const std::string trained = train_sentencepiece_bpe({"lorem ipsum dolor", "sit amet 12"}, 290);
  const auto sentencepiece = load_tokenizer(folder_.file("t.model", trained));
  const auto bytes = load_with({{"type", "ByteLevel"}});
  for (const Tokenizer* tokenizer : {sentencepiece.get(), bytes.get()}) {
    for (const int32_t id : {1, 3 + 0xe4, static_cast<int32_t>(tokenizer->size()) - 1}) {
      const Ids ids(100'000, std::min(id, static_cast<int32_t>(tokenizer->size()) - 1));
      EXPECT_EQ(streamed(*tokenizer, ids, 10).size(),
                tokenizer->decode(ids).size() - tokenizer->decode(first(ids, 10)).size());
    }
  }
}

}  // namespace
}  // namespace pdl::tokenizer_files
