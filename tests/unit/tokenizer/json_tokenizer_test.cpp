// What the parts of tokenizer.json files do. That the ids are those of the `tokenizers` package is
// the matter of tests/integration/tokenizer_json_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/sha256.h"
#include "support/json_tokenizer_files.h"

namespace pdl::tokenizer_files {
namespace {

using ::testing::ElementsAre;

Ids ids_of_words(const Tokenizer& tokenizer, std::string_view text, bool begins) {
  WordList list;
  tokenizer.split(text, begins, list);
  Ids ids;
  for (const Word& word : list.words) {
    if (word.id != Word::kNoId) {
      ids.push_back(word.id);
    } else {
      EXPECT_TRUE(tokenizer.encode_word(word.bytes, ids));
    }
  }
  return ids;
}

// The ids of a document that is cut at every place there is; counts the cuts.
Ids ids_of_cut_document(const Tokenizer& tokenizer, std::string_view text, int& num_cuts) {
  Ids ids;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = tokenizer.find_cut(text, begin + 1);
    if (end == std::string_view::npos) {
      end = text.size();
    } else {
      ++num_cuts;
    }
    const Ids part = ids_of_words(tokenizer, text.substr(begin, end - begin), begin == 0);
    ids.insert(ids.end(), part.begin(), part.end());
    begin = end;
  }
  return ids;
}

TEST_F(JsonTokenizerTest, MergesTheSmallestRankAndTheLeftmostFirst) {
  const auto tokenizer = load(whole_file());
  EXPECT_EQ(tokenizer->encode("abc"), Ids{7});
  EXPECT_EQ(tokenizer->encode("aabbc"), (Ids{1, 6, 2, 3}));
  EXPECT_EQ(tokenizer->encode("▁abc"), (Ids{9, 3}));  // "▁ab" has a smaller rank than "abc"
  EXPECT_TRUE(tokenizer->encode("").empty());
}

// By hand: the pair of smallest rank, leftmost first, until none is left.
TEST_F(JsonTokenizerTest, LongWordsMergeAsShortOnesDo) {
  const auto tokenizer = load(whole_file());
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> symbols;
    std::string text;
    for (uint64_t i = 0, n = random.below(150); i < n; ++i) {
      symbols.push_back(std::array<const char*, 4>{"a", "b", "c", "▁"}[random.below(4)]);
      text += symbols.back();
    }
    for (const auto& [left, right] : std::vector<std::pair<std::string, std::string>>{
             {"a", "b"}, {"▁", "ab"}, {"ab", "c"}, {"▁", "a"}}) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += right;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
    std::vector<std::string> pieces;
    for (const int32_t id : tokenizer->encode(text)) pieces.push_back(tokenizer->piece(id));
    EXPECT_EQ(pieces, symbols) << text;
  }
}

TEST_F(JsonTokenizerTest, BothSpellingsOfMergesAreTheSame) {
  json legacy = whole_file();
  legacy["model"]["merges"] = {"#version: 0.2", "a b", "▁ ab", "ab c", "▁ a"};
  EXPECT_EQ(load(legacy)->encode("▁abcab"), load(whole_file())->encode("▁abcab"));
  legacy["model"]["merges"][1] = {"a", "b"};
  EXPECT_THAT(refusal(legacy), HasSubstr("merges mixes"));
}

TEST_F(JsonTokenizerTest, UnknownCharactersFollowTheOptions) {
  json file = whole_file();
  EXPECT_EQ(load(file)->encode("xya"), (Ids{0, 0, 1}));
  file["model"]["fuse_unk"] = true;
  EXPECT_EQ(load(file)->encode("xya"), (Ids{0, 1}));
  file["model"]["unk_token"] = nullptr;
  EXPECT_EQ(load(file)->encode("xya"), Ids{1});
  file["model"]["unk_token"] = "<none>";
  EXPECT_THROW(load(file)->encode("x"), ModelError);
  file["model"]["byte_fallback"] = true;
  file["model"]["vocab"]["<0xC3>"] = 11;
  file["model"]["vocab"]["<0xA4>"] = 12;
  EXPECT_EQ(load(file)->encode("aä"), (Ids{1, 11, 12}));
}

TEST_F(JsonTokenizerTest, IgnoreMergesTakesWholeWordsFromTheVocabulary) {
  json file = whole_file(split("[ab]+", "Isolated"));
  file["model"]["merges"] = json::array();
  EXPECT_EQ(load(file)->encode("ab"), (Ids{1, 2}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(load(file)->encode("ab"), Ids{6});
}

TEST_F(JsonTokenizerTest, MetaspaceWritesBlanksAndPutsOneBefore) {
  EXPECT_THAT(words(whole_file(metaspace("always", true)), "a b  c"),
              ElementsAre("▁a", "▁b", "▁", "▁c"));
  EXPECT_THAT(words(whole_file(metaspace("never", true)), "a b"), ElementsAre("a", "▁b"));
  json file = whole_file(metaspace("first", true));
  file["added_tokens"].push_back(added_token(11, "<x>"));
  EXPECT_THAT(words(file, "a<x>a"), ElementsAre("▁a", "<x>", "a"));
  EXPECT_THAT(words(file, "<x>a"), ElementsAre("<x>", "a"));
}

TEST_F(JsonTokenizerTest, NormalizersRunInTheirOrder) {
  const json sequence = {{"type", "Sequence"},
                         {"normalizers",
                          {{{"type", "NFC"}},
                           {{"type", "Prepend"}, {"prepend", "▁"}},
                           {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}},
                           {{"type", "Lowercase"}}}}};
  const auto tokenizer = load(whole_file(nullptr, sequence));
  EXPECT_EQ(tokenizer->encode("AB e\xcc\x81"), (Ids{9, 5, 10}));
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST_F(JsonTokenizerTest, AddedTokensTakeInWhatTheirOptionsSay) {
  json file = whole_file();
  file["added_tokens"] = {added_token(11, "<x>"), added_token(12, "<x>y"), added_token(13, "w")};
  file["added_tokens"][0]["lstrip"] = true;
  file["added_tokens"][0]["rstrip"] = true;
  file["added_tokens"][2]["single_word"] = true;
  file["added_tokens"][2]["special"] = false;
  const auto tokenizer = load(file);
  EXPECT_EQ(tokenizer->size(), 14);
  EXPECT_EQ(tokenizer->special_ids(), (Ids{0, 11, 12}));
  EXPECT_EQ(tokenizer->encode("a \n<x>\u3000b"), (Ids{1, 11, 2}));
  EXPECT_EQ(tokenizer->encode("<x>y"), Ids{12});  // the longest
  EXPECT_EQ(tokenizer->encode("a w"), (Ids{1, 0, 13}));
  EXPECT_EQ(tokenizer->encode("aw"), (Ids{1, 0}));
  EXPECT_EQ(tokenizer->control_id("<x>"), std::nullopt);
}

TEST_F(JsonTokenizerTest, AnAddedTokenWithAnotherIdThanThePackageGivesIsRefused) {
  json file = whole_file();
  file["added_tokens"].push_back(added_token(20, "<x>"));
  EXPECT_THAT(refusal(file), HasSubstr("gives \"<x>\" id 11"));
}

TEST_F(JsonTokenizerTest, ControlTokensComeFromTheConfigBesideTheFile) {
  EXPECT_EQ(load(whole_file())->bos_id(), std::nullopt);
  folder_.file("tokenizer_config.json",
               R"({"bos_token": "a", "eos_token": {"content": "ab", "special": true},
                   "pad_token": null, "model_max_length": 1e30})");
  const auto tokenizer = load(whole_file());
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 6);
  EXPECT_EQ(tokenizer->pad_id(), std::nullopt);
  // The end of documents is not in the file, and still makes another tokenizer.
  EXPECT_NE(tokenizer->sha256(), sha256(whole_file().dump()));
  for (const char* bad : {R"({"bos_token": "no such"})", R"({"eos_token": 3})", "{", "[]"}) {
    folder_.file("tokenizer_config.json", bad);
    EXPECT_THROW(load(whole_file()), ModelError) << bad;
  }
}

// "bos: …; eos: …", or "" for what is not declared.
std::string declared_by(const Tokenizer& tokenizer) {
  std::string text;
  const DeclaredTokens declared = tokenizer.declared_tokens();
  if (declared.bos)
    text += "bos " + std::to_string(declared.bos->is_added) + ": " + declared.bos->phrase;
  text += ";";
  if (declared.eos)
    text += "eos " + std::to_string(declared.eos->is_added) + ": " + declared.eos->phrase;
  return text;
}

TEST_F(JsonTokenizerTest, DeclaresWhatItsPostProcessorPutsAroundATexts) {
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const auto special = [](const std::string& token) {
    return json({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
  };
  const auto processor = [](const json& single) {
    return json({{"type", "TemplateProcessing"}, {"single", single}, {"pair", json::array()}});
  };
  const std::string bos = "bos 1: the post_processor of tokenizer.json puts <s> before each text";
  const std::string eos = "eos 1: the post_processor of tokenizer.json puts </s> after each text";
  const json byte_level = {{"type", "ByteLevel"}, {"trim_offsets", true}};
  const std::vector<std::pair<json, std::string>> cases = {
      {nullptr, ";"},
      {byte_level, ";"},
      {processor({text}), ";"},
      {processor({special("<s>"), text}), bos + ";"},
      {processor({text, special("</s>")}), ";" + eos},
      {processor({special("<s>"), text, special("</s>")}), bos + ";" + eos},
      {{{"type", "Sequence"}, {"processors", {byte_level, processor({special("<s>"), text})}}},
       bos + ";"},
      {{{"type", "RobertaProcessing"}, {"cls", {"<s>", 0}}, {"sep", {"</s>", 2}}}, bos + ";" + eos},
      {{{"type", "any other"}}, ";"},
      {{{"type", "TemplateProcessing"}, {"single", "$A"}}, ";"},
      {{{"type", "RobertaProcessing"}, {"cls", json::array()}}, ";"},
      {json::array({1}), ";"}};
  for (const auto& [post_processor, expected] : cases) {
    json file = whole_file();
    file["post_processor"] = post_processor;
    EXPECT_EQ(declared_by(*load(file)), expected) << post_processor;
    EXPECT_EQ(load(file)->encode("ab"), load(whole_file())->encode("ab"));
  }
}

TEST_F(JsonTokenizerTest, DeclaresWhatTheConfigBesideItSays) {
  json file = whole_file();
  file["post_processor"] = {
      {"type", "RobertaProcessing"}, {"cls", {"<s>", 0}}, {"sep", {"</s>", 2}}};
  folder_.file("tokenizer_config.json", R"({"add_bos_token": false, "add_eos_token": true})");
  EXPECT_EQ(declared_by(*load(file)),
            "bos 0: tokenizer_config.json has add_bos_token false;"
            "eos 1: tokenizer_config.json has add_eos_token true");
  const std::string hash = load(file)->sha256();
  folder_.file("tokenizer_config.json", R"({"add_bos_token": null})");
  EXPECT_THAT(declared_by(*load(file)), HasSubstr("bos 1: the post_processor"));
  EXPECT_EQ(load(file)->sha256(), hash) << "the tokens are the same";
  folder_.file("tokenizer_config.json", R"({"add_eos_token": "yes"})");
  EXPECT_THROW(load(file), ModelError);
}

TEST_F(JsonTokenizerTest, WordsOfOneInputAreCutWhereNoMergeReachesOver) {
  EXPECT_THAT(words(whole_file(metaspace("never", false)), "ab c  d"),
              ElementsAre("ab", "▁c", "▁▁d"));
  json file = whole_file(metaspace("never", false));
  EXPECT_TRUE(load(file)->has_words());
  file["model"]["vocab"]["b▁"] = 11;
  EXPECT_TRUE(load(file)->has_words());  // no merge makes it
  file["model"]["merges"].push_back({"b", "▁"});
  EXPECT_FALSE(load(file)->has_words());
  EXPECT_FALSE(load(whole_file())->has_words());
}

TEST_F(JsonTokenizerTest, UnigramTakesTheBestSum) {
  json file = whole_file(metaspace("never", true));
  file["model"] = json::parse(R"({"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab":
      [["<unk>", 0.0], ["a", -1.0], ["b", -1.5], ["ab", -2.0], ["▁", -3]]})");
  const auto tokenizer = load(file);
  EXPECT_EQ(tokenizer->encode("ab"), Ids{3});        // -2 against -2.5
  EXPECT_EQ(tokenizer->encode("xxa"), (Ids{0, 1}));  // unknown neighbours are one
  EXPECT_EQ(tokenizer->encode("a b"), (Ids{1, 4, 2}));
  file["model"]["unk_id"] = nullptr;
  EXPECT_THROW(load(file)->encode("x"), ModelError);
  file["model"]["unk_id"] = 5;
  EXPECT_THAT(refusal(file), HasSubstr("unk_id 5"));
}

// For every way to split: words give the ids of encode(), and so does a document in parts.
TEST_F(JsonTokenizerTest, WordsAndCutsChangeNothing) {
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}};
  const json gemma = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  const std::vector<json> files = {whole_file(metaspace("always", true)),
                                   whole_file(metaspace("first", false)),
                                   whole_file(metaspace("never", false)),
                                   whole_file({{"type", "Whitespace"}}),
                                   whole_file({{"type", "WhitespaceSplit"}}),
                                   whole_file(byte_level),
                                   whole_file(split(R"( ?\p{L}+|\s+)", "Isolated")),
                                   whole_file(nullptr, gemma),
                                   whole_file(split("[ab]+ ", "MergedWithNext"))};
  Random random(9);
  for (const json& file : files) {
    json with_tokens = file;
    with_tokens["added_tokens"] = {added_token(11, "<x>"), added_token(12, " 1")};
    const auto tokenizer = load(with_tokens);
    int num_cuts = 0;
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (uint64_t i = 0, n = random.below(40); i < n; ++i) {
        text += std::array<const char*, 9>{
            "a", "b", "c", " ", " ", "<x>", "\n", "é", "1"}[random.below(9)];
      }
      const Ids expected = tokenizer->encode(text);
      if (!tokenizer->has_words()) continue;
      EXPECT_EQ(ids_of_words(*tokenizer, text, true), expected) << file["pre_tokenizer"] << text;
      EXPECT_EQ(ids_of_cut_document(*tokenizer, text, num_cuts), expected)
          << file["pre_tokenizer"] << text;
    }
    const bool is_provable =
        file["pre_tokenizer"].dump().find("MergedWithNext") == std::string::npos;
    EXPECT_EQ(num_cuts > 0, is_provable) << file["pre_tokenizer"];
  }
}

// Nothing is put before a continuation, but before its later words and after its blanks it is.
TEST_F(JsonTokenizerTest, AContinuationHasNoPrefix) {
  const json prepend = {{"type", "Prepend"}, {"prepend", "▁"}};
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", false}};
  const json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const json spaces = {{"type", "WhitespaceSplit"}};
  const auto sequence = [](const std::vector<json>& stages) {
    return json{{"type", "Sequence"}, {"pretokenizers", stages}};
  };
  json bytes = whole_file(sequence({digits, byte_level}));
  bytes["model"]["vocab"]["Ġ"] = 11;
  bytes["model"]["vocab"]["1"] = 12;
  struct Case {
    json file;
    std::string text;
    Ids of_document;
    Ids of_continuation;
  };
  for (const Case& c : std::vector<Case>{
           {whole_file(metaspace("always", true)), "ab b", {9, 5, 2}, {6, 5, 2}},
           {whole_file(metaspace("always", true)), " ab", {9}, {9}},
           {whole_file(metaspace("first", false)), "ab b", {9, 5, 2}, {6, 5, 2}},
           {whole_file(sequence({spaces, metaspace("always", true)})), "ab a", {9, 8}, {6, 8}},
           {whole_file(sequence({spaces, metaspace("always", true)})), " ab a", {9, 8}, {9, 8}},
           {whole_file(nullptr, prepend), "ab", {9}, {6}},
           {bytes, "ab1", {11, 6, 11, 12}, {6, 11, 12}}}) {
    const auto tokenizer = load(c.file);
    EXPECT_EQ(tokenizer->encode(c.text), c.of_document) << c.file["pre_tokenizer"];
    EXPECT_EQ(tokenizer->encode(c.text, false), c.of_continuation) << c.file["pre_tokenizer"];
    if (!tokenizer->has_words()) continue;
    EXPECT_EQ(ids_of_words(*tokenizer, c.text, true), c.of_document) << c.file["pre_tokenizer"];
    EXPECT_EQ(ids_of_words(*tokenizer, c.text, false), c.of_continuation)
        << c.file["pre_tokenizer"];
  }
}

TEST_F(JsonTokenizerTest, ATokenThatEndsInALetterForbidsCuts) {
  json file = whole_file(metaspace("always", true));
  EXPECT_EQ(load(file)->find_cut("a b", 0), 1u);
  file["added_tokens"].push_back(added_token(11, "xa"));
  EXPECT_EQ(load(file)->find_cut("a b", 0), std::string_view::npos);
  EXPECT_EQ(load(whole_file(metaspace("always", true)))->find_cut("a  b a", 1), 4u);
}

}  // namespace
}  // namespace pdl::tokenizer_files
