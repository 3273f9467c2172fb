#include "pdl/frequency/shard_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "pdl/base/error.h"
#include "pdl/config/config_table.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

TokenCounts table_of(std::vector<int64_t> counts) {
  return {.counts = std::move(counts),
          .counted = Counted::kReference,
          .tokenizer_sha256 = "t",
          .corpus_sha256 = "c"};
}

// Shards of `count`, in order, of a corpus of three tokens.
std::vector<NamedShardCounts> shards_of(int64_t count) {
  std::vector<NamedShardCounts> shards;
  for (int64_t index = 0; index < count; ++index) {
    shards.push_back({"part-" + std::to_string(index) + ".json",
                      {.table = table_of({index, 0, 1}),
                       .shard = {index, count},
                       .text = {.chat_template = "chatml"}}});
  }
  return shards;
}

std::string refusal(const std::vector<NamedShardCounts>& shards) {
  try {
    merge_token_counts(shards);
  } catch (const DataError& problem) {
    return problem.what();
  }
  return "no DataError";
}

std::string load_refusal(const std::string& path) {
  try {
    load_shard_counts(path);
  } catch (const DataError& problem) {
    return problem.what();
  }
  return "no DataError";
}

TEST(ShardCountsTest, RandomSplitsMergeToTheWhole) {
  std::mt19937_64 random(1);
  const TempFolder folder;
  for (int trial = 0; trial < 100; ++trial) {
    const size_t vocab_size = 1 + random() % 50;
    const auto count = static_cast<int64_t>(1 + random() % 20);
    TokenCounts whole = table_of(std::vector<int64_t>(vocab_size));
    whole.counted = random() % 2 == 0 ? Counted::kTargets : Counted::kReference;
    std::vector<NamedShardCounts> shards = shards_of(count);
    for (NamedShardCounts& shard : shards) {
      shard.counts.table = whole;
      shard.counts.table.counts.assign(vocab_size, 0);
    }
    for (int64_t& total : whole.counts) {
      total = static_cast<int64_t>(random() % (uint64_t{1} << (random() % 47)));
      const auto token = static_cast<size_t>(&total - whole.counts.data());
      int64_t left = total;
      for (NamedShardCounts& shard : shards) {
        const bool is_last = &shard == &shards.back();
        const auto part =
            is_last ? left : static_cast<int64_t>(random() % (static_cast<uint64_t>(left) + 1));
        shard.counts.table.counts[token] = part;
        left -= part;
      }
    }
    std::shuffle(shards.begin(), shards.end(), random);
    for (NamedShardCounts& shard : shards) {  // through their files
      shard.counts = load_shard_counts(folder.file(shard.name, to_json(shard.counts)));
    }
    EXPECT_EQ(to_json(merge_token_counts(shards)), to_json(whole));
  }
}

TEST(ShardCountsTest, HasThePublishedFormat) {
  ShardCounts counts{.table = table_of({0, 5, 7}), .shard = {2, 8}, .text = {}};
  counts.text.text_document = TextDocument::kLine;
  counts.text.chat_template = "chatml";
  EXPECT_EQ(json::parse(to_json(counts)),
            json::parse(R"({"format": "pdl-frequency", "version": 1, "vocab_size": 3, "total": 12,
      "counted": "reference", "tokenizer_sha256": "t", "corpus_sha256": "c",
      "shard": {"index": 2, "count": 8},
      "text_options": {"text_document": "line", "text_field": "text", "prompt_field": "prompt",
        "completion_field": "completion", "messages_field": "messages", "chat_template": "chatml",
        "completion_only_loss": true, "add_bos": false, "add_eos": true},
      "counts": [0, 5, 7]})"));
}

TEST(ShardCountsTest, SavesAndLoadsEveryTextOption) {
  // Does not compile once TextOptions has another field, which must then be in the file, too.
  const auto& [document, text, prompt, completion, messages, chat, date, only, bos, eos] =
      TextOptions{};
  ShardCounts counts{.table = table_of({1}), .shard = {0, 1}, .text = {}};
  counts.text = {.text_document = TextDocument::kParagraph,
                 .text_field = text + "\"\xc3\xa9",
                 .prompt_field = prompt + "1",
                 .completion_field = completion + "2",
                 .messages_field = messages + "3",
                 .chat_template = "llama3",
                 .completion_only_loss = !only,
                 .add_bos = !bos,
                 .add_eos = !eos};
  ASSERT_NE(counts.text.text_document, document);
  ASSERT_NE(counts.text.chat_template, chat);
  ASSERT_EQ(counts.text.chat_date, date);  // the fingerprint of the template knows it
  const TempFolder folder;
  const ShardCounts loaded = load_shard_counts(folder.file("s.json", to_json(counts)));
  EXPECT_EQ(to_json(loaded), to_json(counts));
  EXPECT_EQ(loaded.text.text_field, counts.text.text_field);
  EXPECT_EQ(loaded.text.chat_template, "llama3");
  EXPECT_TRUE(loaded.text.add_bos);
}

TEST(ShardCountsTest, OneShardIsNoWholeTableNorTheOtherWayRound) {
  const TempFolder folder;
  const std::string shard = folder.file("s.json", to_json(shards_of(8)[2].counts));
  try {
    load_token_counts(shard);
    FAIL();
  } catch (const DataError& problem) {
    EXPECT_THAT(problem.what(), AllOf(HasSubstr("s.json"), HasSubstr("is shard 2 of 8; merge")));
  }
  EXPECT_THAT(load_refusal(folder.file("w.json", to_json(table_of({1})))),
              AllOf(HasSubstr("w.json"), HasSubstr("whole table")));
}

TEST(ShardCountsTest, RefusesEveryMalformedShard) {
  const TempFolder folder;
  const json good = json::parse(to_json(shards_of(3)[1].counts));
  std::vector<json> bad;
  for (const auto& [key, value] : good.items()) {
    json without = good;
    without.erase(key);
    bad.push_back(without);
  }
  for (const char* field : {"shard", "text_options"}) {
    for (const json& wrong : {json(), json(1), json("x"), json::array({1}), json::object()}) {
      bad.push_back(good);
      bad.back()[field] = wrong;
    }
    for (const auto& [key, value] : good[field].items()) {
      bad.push_back(good);
      bad.back()[field].erase(key);
      for (const json& wrong : {json(), json(-1), json(1.5), json(uint64_t{1} << 63),
                                json::array({true}), json::object({{"a", 1}})}) {
        bad.push_back(good);
        bad.back()[field][key] = wrong;
      }
    }
  }
  bad.push_back(good);
  bad.back()["shard"]["index"] = 3;
  bad.push_back(good);
  bad.back()["text_options"]["chat_template"] = "chat";
  bad.push_back(good);
  bad.back()["text_options"]["a_later_option"] = true;
  bad.push_back(good);
  bad.back()["text_options"]["add_eos"] = "true";
  for (const json& object : bad) {
    EXPECT_THAT(load_refusal(folder.file("s.json", object.dump())), HasSubstr("s.json"))
        << object.dump();
    EXPECT_THROW(load_token_counts(folder / "s.json"), DataError) << object.dump();
  }
  EXPECT_NO_THROW(load_shard_counts(folder.file("s.json", good.dump())));
}

TEST(ShardCountsTest, EveryTruncationIsRefused) {
  const TempFolder folder;
  const std::string text = to_json(shards_of(2)[0].counts);
  for (size_t length = 0; length + 2 < text.size(); ++length) {
    EXPECT_THROW(load_shard_counts(folder.file("s.json", text.substr(0, length))), DataError)
        << length;
  }
}

TEST(MergeTokenCountsTest, NamesBothFilesAndWhatDiffers) {
  const std::vector<std::pair<std::function<void(ShardCounts&)>, std::string>> cases = {
      {[](ShardCounts& shard) { shard.table.tokenizer_sha256 = "u"; }, "different tokenizers"},
      {[](ShardCounts& shard) { shard.table.corpus_sha256 = "d"; }, "different corpora"},
      {[](ShardCounts& shard) { shard.table.counts.push_back(1); }, "3 and 4 tokens"},
      {[](ShardCounts& shard) { shard.table.counted = Counted::kTargets; }, "\"targets\""},
      {[](ShardCounts& shard) { shard.shard.count = 9; }, "shard 0 of 4 and shard 2 of 9"},
      {[](ShardCounts& shard) { shard.shard.index = 1; }, "both are shard 1 of 4"},
      {[](ShardCounts& shard) { shard.text.add_bos = true; }, "add_bos is false and true"},
      {[](ShardCounts& shard) { shard.text.text_document = TextDocument::kLine; },
       "text_document is \"file\" and \"line\""},
      {[](ShardCounts& shard) { shard.text.prompt_field = "question"; },
       "prompt_field is \"prompt\" and \"question\""},
  };
  for (const auto& [change, expected] : cases) {
    std::vector<NamedShardCounts> shards = shards_of(4);
    change(shards[2].counts);
    EXPECT_THAT(refusal(shards),
                AllOf(HasSubstr("part-"), HasSubstr("'part-2.json'"), HasSubstr(expected)));
  }
}

TEST(MergeTokenCountsTest, LongPathsLeaveRoomForBothNamesAndWhatDiffers) {
  std::vector<NamedShardCounts> shards = shards_of(2);
  for (NamedShardCounts& shard : shards) {
    shard.name = "/" + std::string(200, 'x') + "/" + shard.name;
  }
  shards[1].counts.text.completion_field = std::string(500, 'y');
  const std::string message = refusal(shards);
  EXPECT_THAT(message, AllOf(HasSubstr("'…/part-0.json' and '…/part-1.json'"),
                             HasSubstr("completion_field is \"completion\" and \"yyy")));
  EXPECT_LE(message.size(), 288U);
}

TEST(MergeTokenCountsTest, OverlapNamesTheTwoThatAreTheSame) {
  std::vector<NamedShardCounts> shards = shards_of(3);
  shards.push_back(shards[1]);
  shards.back().name = "again.json";
  EXPECT_THAT(refusal(shards), AllOf(HasSubstr("'part-1.json' and 'again.json'"),
                                     HasSubstr("both are shard 1 of 3")));
}

TEST(MergeTokenCountsTest, ListsTheMissing) {
  const auto without = [](int64_t count, const std::vector<int64_t>& absent) {
    std::vector<NamedShardCounts> shards = shards_of(count);
    std::erase_if(shards, [&](const NamedShardCounts& shard) {
      return std::count(absent.begin(), absent.end(), shard.counts.shard.index) > 0;
    });
    return refusal(shards);
  };
  EXPECT_THAT(without(8, {3, 5, 6}), AllOf(HasSubstr("of the 8 shards"), HasSubstr("'part-0.json'"),
                                           HasSubstr("missing: 3, 5-6;")));
  EXPECT_THAT(without(3, {0}), HasSubstr("missing: 0;"));
  EXPECT_THAT(without(3, {2}), HasSubstr("missing: 2;"));
  EXPECT_THAT(without(3, {1, 2}), HasSubstr("missing: 1-2;"));
  EXPECT_THAT(without(40, {0, 2, 4, 6, 8, 10, 12, 14, 16}),
              HasSubstr("missing: 0, 2, 4, 6, 8, 10, 12, 14 and more;"));
  std::vector<NamedShardCounts> huge = shards_of(1);
  huge[0].counts.shard = {INT64_MAX - 1, INT64_MAX};
  EXPECT_THAT(refusal(huge), HasSubstr("missing: 0-9223372036854775805;"));
  EXPECT_THAT(refusal({}), HasSubstr("no shard"));
}

TEST(MergeTokenCountsTest, MoreTokensThanATableMayCountAreRefused) {
  std::vector<NamedShardCounts> shards = shards_of(2);
  const int64_t half = int64_t{1} << 52;
  shards[0].counts.table = table_of({half, 0, 0});
  shards[1].counts.table = table_of({0, half, 0});
  EXPECT_EQ(merge_token_counts(shards).total(), int64_t{1} << 53);
  shards[1].counts.table.counts[2] = 1;
  EXPECT_THAT(refusal(shards), AllOf(HasSubstr("'part-1.json'"), HasSubstr("2^53")));
  shards[0].counts.table.counts = {INT64_MAX, 0, 0};
  shards[1].counts.table.counts = {INT64_MAX, 0, 0};
  EXPECT_THAT(refusal(shards), HasSubstr("2^53"));
}

}  // namespace
}  // namespace pdl
