#include "pdl/corpus/corpus_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;

TEST(CorpusFileTest, TheEndingTellsTheKind) {
  for (const std::string compression : {"", ".gz", ".zst"}) {
    EXPECT_EQ(corpus_file_kind("a/b.txt" + compression), CorpusFileKind::kText);
    EXPECT_EQ(corpus_file_kind("a.npy.jsonl" + compression), CorpusFileKind::kJsonl);
  }
  EXPECT_EQ(corpus_file_kind("a.txt.npy"), CorpusFileKind::kTokens);
  EXPECT_EQ(corpus_file_kind("-"), CorpusFileKind::kText);
}

TEST(CorpusFileTest, OtherEndingsAreRefusedByName) {
  for (const std::string file :
       {"", "a", "txt", "a.md", "a.gz", "a.zst", "a.npy.gz", "a.npy.zst", "a.txt.gz.gz",
        "a.txt.gz.zst", "a.TXT", "a.json", "a.txt.bz2", "a.txt/", "--", "a.txt "}) {
    try {
      corpus_file_kind(file);
      ADD_FAILURE() << "no error for " << file;
    } catch (const ConfigError& problem) {
      EXPECT_THAT(problem.what(),
                  HasSubstr("file '" + file + "' is not supported by this version; use"));
    }
  }
}

}  // namespace
}  // namespace pdl
