#include "pdl/frequency/count_cache.h"

#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

class CountCacheTest : public ::testing::Test {
 protected:
  // Counts as a run does that keeps its tables.
  int64_t total(const PipelineOptions& options = {}) { return count(options).total(); }
  TokenCounts count(const PipelineOptions& options = {}) {
    const Corpus corpus = {.files = {folder / "a.txt", folder / "b.txt"},
                           .text = {.add_bos = add_bos, .add_eos = false},
                           .tokenizer = &tokenizer,
                           .vocab_size = tokenizer.size()};
    CountCache cache(folder / "cache");
    const TokenCounts table = cache.count(corpus, options);
    cache.keep();
    return table;
  }

  TempFolder folder;
  ByteTokenizer tokenizer;
  bool add_bos = false;
};

TEST_F(CountCacheTest, ATableIsFoundAgain) {
  folder.file("a.txt", "a");
  folder.file("b.txt", "b");
  EXPECT_EQ(total(), 2);
  int reads = 0;
  EXPECT_EQ(total({.progress = [&](int64_t, int64_t) { ++reads; }}), 2);
  EXPECT_EQ(reads, 0);
  folder.file("b.txt", "bbb");
  EXPECT_EQ(total(), 4);
}

TEST_F(CountCacheTest, AFileThatChangesMeanwhileIsKeptAsItWasCounted) {
  folder.file("a.txt", "a");
  folder.file("b.txt", "b");
  const auto change = [&](int64_t, int64_t) { folder.file("b.txt", "bbb"); };
  EXPECT_EQ(total({.progress = change}), 4);
  folder.file("b.txt", "b");
  EXPECT_EQ(total(), 2);
}

TEST_F(CountCacheTest, NotesAreKeptWithTheTable) {
  folder.file("a.txt", "<special>a");
  folder.file("b.txt", "b");
  add_bos = true;
  const TokenCounts counted = count();
  EXPECT_EQ(counted.notes, (CorpusNotes{.bounded = 2, .doubled_bos = 1}));
  int reads = 0;
  const TokenCounts found = count({.progress = [&](int64_t, int64_t) { ++reads; }});
  EXPECT_EQ(reads, 0);
  EXPECT_EQ(found.notes, counted.notes);
  EXPECT_EQ(to_json(found), to_json(counted));
}

}  // namespace
}  // namespace pdl
