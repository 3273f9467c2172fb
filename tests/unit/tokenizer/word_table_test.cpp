#include "tokenizer/word_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace pdl {
namespace {

// Compares with a map, on a table so small that it forgets many times.
TEST(WordTableTest, WhatItKnowsIsWhatWasPutIn) {
  for (const size_t max_bytes : {size_t{1} << 17, size_t{1} << 24}) {
    WordTable table(max_bytes);
    std::map<std::string, std::vector<int32_t>> all;
    std::mt19937 random(1);
    int known_words = 0;
    for (int i = 0; i < 200'000; ++i) {
      const auto size = random() % 4 == 0 ? random() % 129 : random() % 5;
      std::string word;
      for (size_t k = 0; k < size; ++k) word += static_cast<char>(random() % (size > 8 ? 2 : 20));
      std::vector<int32_t>& ids = all[word];
      if (ids.empty()) {
        ids.resize(1 + random() % 9);
        for (int32_t& id : ids) id = static_cast<int32_t>(random());
      }
      if (const auto known = table.find(word)) {
        ++known_words;
        ASSERT_EQ(std::vector<int32_t>(known->begin(), known->end()), ids);
      } else {
        table.insert(word, ids);
        const auto now = table.find(word);
        ASSERT_TRUE(now.has_value());
        ASSERT_EQ(std::vector<int32_t>(now->begin(), now->end()), ids);
      }
    }
    EXPECT_GT(known_words, 10'000);
    EXPECT_GT(all.size(), 50'000U);
  }
}

}  // namespace
}  // namespace pdl
