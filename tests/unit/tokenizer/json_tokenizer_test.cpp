// Rules and refusals of tokenizer.json files. That the ids are those of the `tokenizers` package is
// the matter of tests/integration/tokenizer_json_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/sha256.h"
#include "pdl/tokenizer/tokenizer.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

// Characters a to e and the blank sign, "ab", "abc", "▁a", "▁ab", and an unknown token.
json bpe_model() {
  return json::parse(R"({"type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": false,
      "byte_fallback": false, "ignore_merges": false, "continuing_subword_prefix": null,
      "end_of_word_suffix": null,
      "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "d": 4, "▁": 5, "ab": 6, "abc": 7, "▁a": 8,
                "▁ab": 9, "é": 10},
      "merges": [["a", "b"], ["▁", "ab"], ["ab", "c"], ["▁", "a"]]})");
}

json added_token(int id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

json metaspace(const std::string& scheme, bool split) {
  return {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", split}};
}

json split(const std::string& expression, const std::string& behavior, bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", behavior},
          {"invert", invert}};
}

json whole_file(const json& pre_tokenizer = nullptr, const json& normalizer = nullptr) {
  return {{"version", "1.0"},          {"truncation", nullptr},
          {"padding", nullptr},        {"added_tokens", json::array()},
          {"normalizer", normalizer},  {"pre_tokenizer", pre_tokenizer},
          {"post_processor", nullptr}, {"decoder", nullptr},
          {"model", bpe_model()}};
}

class JsonTokenizerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Tokenizer> load(const json& content) {
    return load_tokenizer(folder_.file("tokenizer.json", content.dump()));
  }
  std::string refusal(const json& content) { return refusal_of_text(content.dump()); }
  std::string refusal_of_text(const std::string& content) {
    try {
      load_tokenizer(folder_.file("tokenizer.json", content));
    } catch (const ModelError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("tokenizer.json"));
      EXPECT_EQ(std::string(problem.what()).find('\n'), std::string::npos);
      EXPECT_LE(std::string(problem.what()).size(), 300u);
      return problem.what();
    }
    return "";
  }
  // The words of a text that is split whole.
  std::vector<std::string> words(const json& content, std::string_view text) {
    const auto tokenizer = load(content);
    WordList list;
    tokenizer->split(text, true, list);
    std::vector<std::string> words;
    for (const Word& word : list.words) words.emplace_back(word.bytes);
    return words;
  }

  TempFolder folder_;
};

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

TEST_F(JsonTokenizerTest, SplitBehaviorsAreThoseOfTheirDocumentation) {
  const std::string text = "the-final--countdown";
  const auto with = [&](const std::string& behavior) {
    return words(whole_file(split("-", behavior)), text);
  };
  EXPECT_THAT(with("Removed"), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(with("Isolated"), ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(with("MergedWithPrevious"), ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(with("MergedWithNext"), ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(with("Contiguous"), ElementsAre("the", "-", "final", "--", "countdown"));
  EXPECT_THAT(words(whole_file(split("[a-z]+", "Removed", true)), text),
              ElementsAre("the", "final", "countdown"));
}

// Where Oniguruma and PCRE2 differ, the words are Oniguruma's.
TEST_F(JsonTokenizerTest, ExpressionsMeanWhatOnigurumaReads) {
  const auto isolated = [&](const std::string& expression, std::string_view text) {
    return words(whole_file(split(expression, "Isolated")), text);
  };
  EXPECT_THAT(isolated(R"(\s)", "a\u180eb"), ElementsAre("a\u180eb"));
  EXPECT_THAT(isolated(R"(\v)", "a\nb\vc"), ElementsAre("a\nb", "\v", "c"));
  EXPECT_THAT(isolated(R"(x{1,2}+)", "xxxxx"), ElementsAre("xxxxx"));
  EXPECT_THAT(isolated(R"(x{1,2}+x)", "xxxxx"), ElementsAre("xxxxx"));  // not possessive
  EXPECT_THAT(isolated(R"(ax{,2})", "axxx"), ElementsAre("axx", "x"));
  EXPECT_THAT(isolated(R"('(?i:s))", "i'S'\u017f"), ElementsAre("i", "'S", "'\u017f"));
  EXPECT_THAT(isolated(R"(\p{L}+)", "a\U00031350\U00010d50!"),
              ElementsAre("a\U00031350\U00010d50", "!"));  // of Unicode 15 and 16
  EXPECT_THAT(isolated(R"([^[ab]c]+)", "abxyc"), ElementsAre("ab", "xy", "c"));  // a union
}

TEST_F(JsonTokenizerTest, ExpressionsThatCouldMeanSomethingElseAreRefused) {
  for (const char* expression : {R"(\w+)",
                                 R"(\bx)",
                                 "^a",
                                 "a$",
                                 R"(\h)",
                                 R"((?<=a)b)",
                                 R"((a)\1)",
                                 "(?i)a",
                                 "(?>a)",
                                 "[a&&b]",
                                 "[[:alpha:]]",
                                 "[^[^a]]",
                                 R"(\p{Han})",
                                 R"(\p{Greek}+)",
                                 R"(\p{Mn})",
                                 "(?i:ss)",
                                 "(?i:é)",
                                 "(?i:[^a])",
                                 "a*",
                                 "",
                                 "a|",
                                 "(",
                                 ")",
                                 "[",
                                 "[]",
                                 "[]a]",
                                 "a{2}?",
                                 "a**",
                                 "*a",
                                 R"(\)",
                                 R"(\x{110000})",
                                 R"(\ud800)",
                                 "a{1000000}",
                                 "[z-a]",
                                 R"([\P{L}a])",
                                 "(?#x)a",
                                 "(?:a?)*b",
                                 "(?:(?=a)|b)+c",
                                 "a{0,2}+b"}) {
    EXPECT_NE(refusal(whole_file(split(expression, "Isolated"))), "") << expression;
  }
}

TEST_F(JsonTokenizerTest, ARegularExpressionThatNeverEndsIsADataError) {
  const auto tokenizer = load(whole_file(split("(?:a|aa)+[^a]", "Isolated")));
  EXPECT_THROW(tokenizer->encode(std::string(200, 'a')), DataError);
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

TEST_F(JsonTokenizerTest, ATokenThatEndsInALetterForbidsCuts) {
  json file = whole_file(metaspace("always", true));
  EXPECT_EQ(load(file)->find_cut("a b", 0), 1u);
  file["added_tokens"].push_back(added_token(11, "xa"));
  EXPECT_EQ(load(file)->find_cut("a b", 0), std::string_view::npos);
  EXPECT_EQ(load(whole_file(metaspace("always", true)))->find_cut("a  b a", 1), 4u);
}

TEST_F(JsonTokenizerTest, WhatIsNotSupportedIsNamed) {
  const auto changed = [&](const char* pointer, const json& value) {
    json file = whole_file();
    file[json::json_pointer(pointer)] = value;
    return refusal(file);
  };
  EXPECT_THAT(changed("/model/type", "WordPiece"), HasSubstr("WordPiece"));
  EXPECT_THAT(changed("/model/dropout", 0.1), HasSubstr("model.dropout"));
  EXPECT_THAT(changed("/model/end_of_word_suffix", "</w>"), HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(changed("/model/surprise", 1), HasSubstr("model.surprise"));
  EXPECT_THAT(changed("/version", "2.0"), HasSubstr("version"));
  EXPECT_THAT(changed("/surprise", 1), HasSubstr("surprise"));
  EXPECT_THAT(changed("/normalizer", {{"type", "BertNormalizer"}}), HasSubstr("BertNormalizer"));
  EXPECT_THAT(changed("/pre_tokenizer", {{"type", "BertPreTokenizer"}}),
              HasSubstr("BertPreTokenizer"));
  EXPECT_THAT(changed("/model/vocab/zz", 3), HasSubstr("zz"));
  EXPECT_THAT(changed("/model/vocab/zz", -1), HasSubstr("zz"));
  EXPECT_THAT(changed("/model/vocab/zz", 2000000000), HasSubstr("zz"));
  EXPECT_THAT(changed("/model/vocab/zz", 16777215), HasSubstr("zz"));  // half a GB of unused ids
  EXPECT_THAT(changed("/model/merges/0", {"a", "q"}), HasSubstr("merges"));
  EXPECT_THAT(changed("/model/vocab", 3), HasSubstr("model.vocab"));
  EXPECT_THAT(changed("/added_tokens", 3), HasSubstr("added_tokens"));
}

TEST_F(JsonTokenizerTest, HostileFilesAreRefused) {
  EXPECT_THROW(load_tokenizer(folder_ / "none.json"), ModelError);
  EXPECT_NE(refusal_of_text(""), "");
  EXPECT_NE(refusal_of_text("[]"), "");
  EXPECT_NE(refusal_of_text("{\"model\": \"\xff\"}"), "");
  EXPECT_NE(refusal_of_text("{\"model\": \"\\ud800\"}"), "");
  EXPECT_THAT(refusal_of_text(std::string(100'000, '[')), HasSubstr("nested"));
  std::string many = R"({"type": "NFC"})";
  for (int i = 0; i < 200; ++i) many += R"(, {"type": "Digits", "individual_digits": true})";
  json file = whole_file({{"type", "Sequence"}, {"pretokenizers", json::parse("[" + many + "]")}});
  EXPECT_NE(refusal(file), "");
}

// Each step makes eight characters of one; twenty would fill any memory.
TEST_F(JsonTokenizerTest, ANormalizerThatMakesATextManyTimesAsLongIsAnError) {
  json steps = json::array();
  const auto with_steps = [&] {
    return whole_file(nullptr, {{"type", "Sequence"}, {"normalizers", steps}});
  };
  for (int i = 0; i < 20; ++i) {
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaa"}});
    if (i == 1) {
      EXPECT_EQ(load(with_steps())->encode("ac").size(), 65u);
    }
  }
  EXPECT_THROW(load(with_steps())->encode("a"), DataError);
  json file = with_steps();
  file["added_tokens"].push_back(added_token(11, "a"));
  file["added_tokens"][0]["id"] = 1;
  file["added_tokens"][0]["normalized"] = true;
  EXPECT_THAT(refusal(file), HasSubstr("added_tokens[0]"));
}

// A blank sign before each word, which then is a word of its own, twice as many each time.
TEST_F(JsonTokenizerTest, WordsThatDoubleAtEachStageAreRefused) {
  json stages = json::array();
  for (const char* sign : {"▁", "a", "b", "c", "d", "é"}) {
    json stage = metaspace("always", true);
    stage["replacement"] = sign;
    stages.push_back(stage);
    stages.push_back(split(sign, "Isolated"));
  }
  const auto file = [&] { return whole_file({{"type", "Sequence"}, {"pretokenizers", stages}}); };
  EXPECT_LE(words(file(), "x").size(), 64u);
  stages.push_back(split("a", "Isolated"));
  EXPECT_THAT(refusal(file()), HasSubstr("more than 12"));
}

// A letter in four ways, and what must follow is not there: sixteen letters are too many tries.
TEST_F(JsonTokenizerTest, APatternThatTakesTooManyTriesIsNoFaultOfTheFile) {
  const auto tokenizer =
      load(whole_file(split("(?:[a-z]|[a-z]|[a-z]|[a-z])+[^a-z]!|[a-z]+", "Isolated")));
  EXPECT_EQ(tokenizer->encode("ab"), Ids{6});
  EXPECT_THROW(tokenizer->encode(std::string(40, 'a') + "!"), DataError);
}

// Whatever is cut off or overwritten, the file is refused or it works.
TEST_F(JsonTokenizerTest, DamagedFilesNeverEndTheProcess) {
  json file =
      whole_file(split(R"( ?\p{L}+|[^\s\p{L}]+|\s+(?!\S)|\s+)", "Isolated"), {{"type", "NFKC"}});
  file["added_tokens"].push_back(added_token(11, "<x>"));
  const std::string good = file.dump();
  Random random(7);
  for (int i = 0; i < 1500; ++i) {
    std::string damaged = good;
    if (i % 3 == 0) {
      damaged.resize(random.below(damaged.size()));
    } else {
      for (uint64_t flips = 0, n = 1 + random.below(3); flips < n; ++flips)
        damaged[random.below(damaged.size())] = static_cast<char>(32 + random.below(95));
    }
    try {
      load_tokenizer(folder_.file("damaged.json", damaged))->encode("ab é <x>  \n c12");
    } catch (const ModelError& problem) {
      EXPECT_LE(std::string(problem.what()).size(), 300u) << problem.what();
    } catch (const DataError&) {
    }
  }
}

}  // namespace
}  // namespace pdl
