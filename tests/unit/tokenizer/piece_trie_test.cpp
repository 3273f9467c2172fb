#include "tokenizer/sentencepiece/piece_trie.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace pdl {
namespace {

using Found = std::vector<std::pair<size_t, int32_t>>;

Found find(const PieceTrie& trie, std::string_view text) {
  Found found;
  trie.find_prefixes(text, [&](size_t num_bytes, int32_t id) { found.push_back({num_bytes, id}); });
  return found;
}

TEST(PieceTrieTest, FindsAllPiecesThatATextBeginsWith) {
  std::mt19937 random(1);
  for (const size_t num_pieces : {0, 1, 10, 1000}) {
    for (const unsigned num_letters : {2U, 256U}) {
      std::map<std::string, int32_t> pieces;
      const auto random_bytes = [&] {
        std::string text;
        for (auto size = 1 + random() % 6; size > 0; --size) {
          text += static_cast<char>(random() % num_letters);
        }
        return text;
      };
      for (size_t i = 0; i < num_pieces; ++i) pieces[random_bytes()] = static_cast<int32_t>(i);
      const PieceTrie trie({pieces.begin(), pieces.end()});
      EXPECT_EQ(find(trie, ""), Found());
      for (int i = 0; i < 1000; ++i) {
        const std::string text = random_bytes() + random_bytes();
        Found expected;
        for (size_t size = 1; size <= text.size(); ++size) {
          const auto piece = pieces.find(text.substr(0, size));
          if (piece != pieces.end()) expected.push_back({size, piece->second});
        }
        ASSERT_EQ(find(trie, text), expected);
      }
    }
  }
}

}  // namespace
}  // namespace pdl
