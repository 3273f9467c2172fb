// What the decoders of tokenizer.json files make of tokens. Expected texts are worked out by hand
// from the sources of tokenizers 0.23.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "pdl/base/error.h"
#include "support/json_tokenizer_files.h"

namespace pdl::tokenizer_files {
namespace {

class JsonDecoderTest : public JsonTokenizerTest {
 protected:
  // The text of tokens that have the ids 0, 1, …
  std::string text_of(const json& decoder, const std::vector<std::string>& tokens) {
    json file = whole_file();
    file["model"]["vocab"] = json::object();
    file["model"]["merges"] = json::array();
    file["model"]["unk_token"] = nullptr;
    file["decoder"] = decoder;
    Ids ids;
    for (const std::string& token : tokens) {
      json& vocabulary = file["model"]["vocab"];
      if (!vocabulary.contains(token)) vocabulary[token] = vocabulary.size();
      ids.push_back(vocabulary[token].get<int32_t>());
    }
    if (tokens.empty()) file["model"]["vocab"]["a"] = 0;
    return load(file)->decode(ids);
  }
};

json sequence(const std::vector<json>& decoders) {
  return {{"type", "Sequence"}, {"decoders", decoders}};
}
json replace(const json& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}
json strip(const std::string& content, int start, int stop) {
  return {{"type", "Strip"}, {"content", content}, {"start", start}, {"stop", stop}};
}
json of_type(const char* type) { return {{"type", type}}; }

TEST_F(JsonDecoderTest, WithoutADecoderBlanksAreBetweenTokens) {
  EXPECT_EQ(text_of(nullptr, {"a", "▁b", "a"}), "a ▁b a");
  EXPECT_EQ(text_of(nullptr, {}), "");
}

TEST_F(JsonDecoderTest, ByteLevelJoinsBytes) {
  const json decoder = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}};
  EXPECT_EQ(text_of(decoder, {"Ġthe", "Ã", "©", "Ċ"}), " theé\n");
  // "日" is not in the alphabet, so its token stands for itself.
  EXPECT_EQ(text_of(decoder, {"Ġ日", "Ġ"}), "Ġ日 ");
}

// "你" is e4 bd a0, "😀" f0 9f 98 80. The bytes of each stretch that begins a character, and any
// other byte, become one U+FFFD.
TEST_F(JsonDecoderTest, ByteLevelReplacesWhatIsNoUtf8) {
  EXPECT_EQ(text_of(of_type("ByteLevel"), {"ä½", "a"}), "\ufffda");
  EXPECT_EQ(text_of(of_type("ByteLevel"), {"ä½", "ł", "ä½"}), "\u4f60\ufffd");
  EXPECT_EQ(text_of(of_type("ByteLevel"), {"ł", "ł", "ÿ"}), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(text_of(of_type("ByteLevel"), {"ð", "Ł", "ĺ", "ä", "b"}), "\ufffd\ufffdb");
}

TEST_F(JsonDecoderTest, MetaspaceDropsTheSignsOfTheFirstToken) {
  json decoder = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};
  EXPECT_EQ(text_of(decoder, {"▁the▁", "▁cat", "s"}), "the cats");
  decoder["prepend_scheme"] = "never";
  EXPECT_EQ(text_of(decoder, {"▁the▁", "▁cat"}), " the  cat");
  const json older = {{"type", "Metaspace"}, {"replacement", "_"}, {"add_prefix_space", true}};
  EXPECT_EQ(text_of(older, {"_the", "_cat"}), "the cat");
}

TEST_F(JsonDecoderTest, ByteFallbackTakesARunWholeOrNotAtAll) {
  const json decoder = of_type("ByteFallback");
  EXPECT_EQ(text_of(decoder, {"x", "<0xC3>", "<0xa9>", "y"}), "xéy");
  EXPECT_EQ(text_of(decoder, {"<0xC3>", "<0xA9>", "<0xC3>"}), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(text_of(decoder, {"<0xC3>", "x", "<0xA9>"}), "\ufffdx\ufffd");
  EXPECT_EQ(text_of(decoder, {"<0xGG>", "<0x1>", "<0x+A>"}), "<0xGG><0x1>\n");
}

TEST_F(JsonDecoderTest, ReplaceWorksOnEachToken) {
  EXPECT_EQ(text_of(replace({{"String", "aa"}}, "x"), {"aaa", "a", "baab"}), "xaabxb");
  EXPECT_EQ(text_of(replace({{"Regex", "[0-9]+"}}, ""), {"a12b3", "4", "c"}), "abc");
  // Of all tokens fused, the pattern is found across them.
  const json fused = sequence({of_type("Fuse"), replace({{"String", "aa"}}, "x")});
  EXPECT_EQ(text_of(fused, {"aaa", "a", "baab"}), "xxbxb");
  const json expression = sequence({of_type("Fuse"), replace({{"Regex", "[0-9]+"}}, "#")});
  EXPECT_EQ(text_of(expression, {"a1", "2", "b3", "4"}), "a#b#");
}

TEST_F(JsonDecoderTest, StripTakesFromBothEnds) {
  EXPECT_EQ(text_of(strip("_", 1, 0), {"__a_", "_", "b_"}), "_a_b_");
  EXPECT_EQ(text_of(strip("_", 0, 2), {"_a", "b____", "é_"}), "_ab__é");
  const json fused = sequence({of_type("Fuse"), strip("_", 2, 1)});
  EXPECT_EQ(text_of(fused, {"_", "_", "_a_", "_"}), "_a_");
  EXPECT_EQ(text_of(fused, {"_", "_"}), "");  // the package fails
  EXPECT_EQ(text_of(fused, {}), "");
}

TEST_F(JsonDecoderTest, WordPieceJoinsWords) {
  json decoder = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", false}};
  EXPECT_EQ(text_of(decoder, {"un", "##it", "test", ".", "##"}), "unit test .");
  EXPECT_EQ(text_of(decoder, {"##a", "##b"}), "##ab");  // the first one is left alone
  decoder["cleanup"] = true;
  EXPECT_EQ(text_of(decoder, {"I", "'m", "un", "##it", "!", "do not"}), "I'm unit! don't");
}

TEST_F(JsonDecoderTest, BpeDecoderPutsBlanksForSuffixesButTheLast) {
  const json decoder = {{"type", "BPEDecoder"}, {"suffix", "</w>"}};
  EXPECT_EQ(text_of(decoder, {"un", "it</w>", "test</w>"}), "unit test");
  EXPECT_EQ(text_of({{"type", "BPEDecoder"}, {"suffix", ""}}, {"ab", "c"}), " a b c");
}

TEST_F(JsonDecoderTest, CtcDropsRepeatsAndPadding) {
  json decoder = {
      {"type", "CTC"}, {"pad_token", "<p>"}, {"word_delimiter_token", "|"}, {"cleanup", true}};
  EXPECT_EQ(text_of(decoder, {"a", "a", "<p>", "a", "|", "|", "b"}), "aa b");
  decoder["cleanup"] = false;
  EXPECT_EQ(text_of(decoder, {"a", "|", "b"}), "a|b");
}

// That of the tokenizer.json files converted from SentencePiece models.
TEST_F(JsonDecoderTest, ASequencePassesTokensOn) {
  const json decoder = sequence({replace({{"String", "▁"}}, " "), of_type("ByteFallback"),
                                 of_type("Fuse"), strip(" ", 1, 0)});
  EXPECT_EQ(text_of(decoder, {"▁", "▁the", "<0xC3>", "<0xA9>", "▁"}), " theé ");
}

TEST_F(JsonDecoderTest, SpecialTokensAreLeftOut) {
  json file = whole_file();
  file["added_tokens"] = {added_token(0, "<unk>"), added_token(11, "<s>"), added_token(12, "Two")};
  file["added_tokens"][0]["special"] = false;
  file["added_tokens"][2]["special"] = false;
  EXPECT_EQ(load(file)->decode(Ids{11, 1, 12, 0, 11, 6}), "a Two <unk> ab");
}

// Found with tokenizers 0.23.3: what the normaliser makes of an added token is what is decoded, and
// a special token is left out only if that is what it was.
TEST_F(JsonDecoderTest, NormalizedTokensAreDecodedInTheirNormalForm) {
  json file = whole_file(nullptr, of_type("Lowercase"));
  file["added_tokens"] = {added_token(11, "<S>"), added_token(12, "Two")};
  file["added_tokens"][0]["normalized"] = true;
  file["added_tokens"][1]["normalized"] = true;
  file["added_tokens"][1]["special"] = false;
  EXPECT_EQ(load(file)->decode(Ids{11, 12, 1}), "<s> two a");
}

TEST_F(JsonDecoderTest, IdsWithoutATokenAreLeftOut) {
  json file = whole_file();
  file["model"]["vocab"]["z"] = 20;
  const auto tokenizer = load(file);
  EXPECT_EQ(tokenizer->decode(Ids{1, 15, 20}), "a z");
  EXPECT_THROW(tokenizer->decode(Ids{1, 21}), std::invalid_argument);
  EXPECT_THROW(tokenizer->decode(Ids{-1}), std::invalid_argument);
  file["model"]["vocab"][""] = 15;  // an empty token is one
  EXPECT_EQ(load(file)->decode(Ids{1, 15, 20}), "a  z");
}

// Training needs no decoder.
TEST_F(JsonDecoderTest, AnUnknownDecoderFailsOnlyWhenUsed) {
  for (const json& decoder :
       {of_type("Morse"), sequence({of_type("Fuse"), of_type("Morse")}), json("Morse"),
        strip("no character", 1, 0), replace({{"Regex", "(?<=Morse)x"}}, "")}) {
    json file = whole_file();
    file["decoder"] = decoder;
    const auto tokenizer = load(file);
    EXPECT_FALSE(tokenizer->encode("abc").empty());
    try {
      tokenizer->decode(Ids{1});
      ADD_FAILURE() << decoder;
    } catch (const ModelError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("tokenizer.json' cannot decode token ids: decoder"));
      if (decoder.is_object() && decoder["type"] == "Morse") {
        EXPECT_THAT(problem.what(), HasSubstr("\"Morse\" is a decoder that is not supported"));
      }
    }
    EXPECT_THROW(tokenizer->make_decode_stream(), ModelError);
  }
}

TEST_F(JsonDecoderTest, StepsCannotFillTheMemory) {
  const std::vector<json> doublings(30, replace({{"String", "a"}}, "aa"));
  EXPECT_THROW(text_of(sequence(doublings), {"a"}), DataError);
  EXPECT_THROW(text_of(sequence(std::vector<json>(33, of_type("Fuse"))), {"a"}), ModelError);
}

}  // namespace
}  // namespace pdl::tokenizer_files
