#include "pdl/frequency/token_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "support/byte_tokenizer.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TokenCounts small_table() {
  return {.counts = {0, 5, 7},
          .counted = Counted::kReference,
          .tokenizer_sha256 = "bytes",
          .corpus_sha256 = "c"};
}

TEST(TokenCountsTest, SavesAndLoads) {
  const TempFolder folder;
  const TokenCounts table = small_table();
  const TokenCounts loaded = load_token_counts(folder.file("f.json", to_json(table)));
  EXPECT_EQ(loaded.counts, table.counts);
  EXPECT_EQ(loaded.counted, table.counted);
  EXPECT_EQ(loaded.tokenizer_sha256, table.tokenizer_sha256);
  EXPECT_EQ(loaded.corpus_sha256, table.corpus_sha256);
  EXPECT_EQ(loaded.total(), 12);
}

TEST(TokenCountsTest, HasThePublishedFormat) {
  const json object = json::parse(to_json(small_table()));
  EXPECT_EQ(object,
            json::parse(R"({"format": "pdl-frequency", "version": 1, "vocab_size": 3, "total": 12,
      "counted": "reference", "tokenizer_sha256": "bytes", "corpus_sha256": "c", "counts": [0, 5, 7]})"));
}

TEST(TokenCountsTest, CountsEveryTokenOfACorpus) {
  const TempFolder folder;
  const ByteTokenizer tokenizer;
  const TokenCounts table = count_corpus({.files = {folder.file("a.txt", "abba")},
                                          .text = {},
                                          .tokenizer = &tokenizer,
                                          .vocab_size = tokenizer.size() + 4},
                                         {.num_threads = 2});
  EXPECT_EQ(table.vocab_size(), tokenizer.size() + 4);
  EXPECT_EQ(table.counts[ByteTokenizer::kFirstByte + 'a'], 2);
  EXPECT_EQ(table.counts[2], 1);  // eos
  EXPECT_EQ(table.total(), 5);
}

TEST(TokenCountsTest, RefusesEveryMalformedTable) {
  const TempFolder folder;
  const json good = json::parse(to_json(small_table()));
  std::vector<std::string> bad = {
      "", "[", "[]", "1", "{}", std::string(100000, '['), "{\"a\":" + std::string(1000, '[')};
  bad.push_back(good.dump() + std::string(1, '\0') + "hidden");
  for (const auto& [key, value] : good.items()) {
    json without = good;
    without.erase(key);
    bad.push_back(without.dump());
    for (const json& wrong : {json(), json(-1), json("x"), json::array({1}), json::object()}) {
      if (key.ends_with("sha256") && wrong.is_string()) continue;
      json changed = good;
      changed[key] = wrong;
      bad.push_back(changed.dump());
    }
  }
  for (const json& count :
       {json(-1), json(1.5), json("1"), json(), json(uint64_t{1} << 63), json(int64_t{1} << 60)}) {
    json changed = good;
    changed["counts"][1] = count;
    bad.push_back(changed.dump());
  }
  for (const char* key : {"vocab_size", "total", "version"}) {
    json changed = good;
    changed[key] = good[key].get<int64_t>() + 1;
    bad.push_back(changed.dump());
  }
  json too_many = good;
  too_many["counts"] = std::vector<int64_t>(8, int64_t{1} << 62);
  bad.push_back(too_many.dump());
  const std::string text_of_good = good.dump();
  const std::string open = text_of_good.substr(0, text_of_good.size() - 1);
  bad.push_back(open + R"(, "total": )" + good["total"].dump() + "}");  // twice
  bad.push_back(text_of_good + "}");
  bad.push_back(text_of_good + std::string(16 << 20, ' '));  // too large
  bad.push_back("caf\xe9");
  for (const std::string& text : bad) {
    EXPECT_THROW(load_token_counts(folder.file("f.json", text)), DataError) << text.substr(0, 200);
  }
  EXPECT_THROW(load_token_counts(folder / "none.json"), DataError);
}

TEST(TokenCountsTest, ANumberBeyondItsRangeIsNamedByItsPlace) {
  const TempFolder folder;
  const std::string good = to_json(small_table());
  const auto refusal_with = [&](const std::string& key, const std::string& number) {
    // In the list of counts: the second one.
    const size_t name = good.find('"' + key + "\":");
    size_t begin = good.find(':', name) + 1;
    if (key == "counts") begin = good.find(',', begin) + 1;
    const size_t end = good.find_first_of(",]}", begin);
    const std::string text = good.substr(0, begin) + number + good.substr(end);
    try {
      load_token_counts(folder.file("f.json", text));
    } catch (const DataError& problem) {
      return std::string(problem.what());
    }
    return std::string("no error");
  };
  for (const std::string number : {"1e400", "-1e400", "18446744073709551616", "9223372036854775808",
                                   "9007199254740993", "1e30", "-1", "1.5", "1.0"}) {
    EXPECT_THAT(refusal_with("counts", number),
                HasSubstr("f.json' cannot be used: counts[1] is " + number +
                          ", not an integer from 0 to 9007199254740992"));
    EXPECT_THAT(refusal_with("total", number),
                HasSubstr("f.json' cannot be used: total is " + number + ", not an integer from"));
    EXPECT_THAT(refusal_with("vocab_size", number),
                HasSubstr("cannot be used: vocab_size is " + number + ", not an integer from"));
  }
  // Beyond what any reader of numbers takes.
  EXPECT_THAT(refusal_with("counts", "1e99999"), HasSubstr("1e99999 is too large for a number"));
}

TEST(TokenCountsTest, EveryTruncationIsRefused) {
  const TempFolder folder;
  const std::string text = to_json(small_table());
  for (size_t length = 0; length + 2 < text.size(); ++length) {
    EXPECT_THROW(load_token_counts(folder.file("f.json", text.substr(0, length))), DataError)
        << length;
  }
}

TEST(TokenCountsTest, FitsAWiderModelAlone) {
  const ByteTokenizer tokenizer;
  TokenCounts table = small_table();
  table.counts.assign(static_cast<size_t>(tokenizer.size()), 1);
  EXPECT_EQ(fit_to_model(table, &tokenizer, tokenizer.size(), "t").counts, table.counts);
  const TokenCounts wide = fit_to_model(table, &tokenizer, tokenizer.size() + 5, "t");
  EXPECT_EQ(wide.vocab_size(), tokenizer.size() + 5);
  EXPECT_EQ(wide.counts.back(), 0);
  EXPECT_EQ(wide.total(), table.total());
  table.counts.pop_back();
  EXPECT_THROW(fit_to_model(table, &tokenizer, tokenizer.size(), "t"), DataError);
  EXPECT_THROW(fit_to_model(wide, &tokenizer, tokenizer.size() + 6, "t"), DataError);
  table.counts.push_back(1);
  table.tokenizer_sha256 = "another";
  EXPECT_THROW(fit_to_model(table, &tokenizer, tokenizer.size(), "t"), DataError);
}

}  // namespace
}  // namespace pdl
