#include "run/sweep/cell_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "support/temp_folder.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

TEST(CellSummaryTest, RareTargetsAreThoseCountedBelow500) {
  const TempFolder temp;
  temp.file("summary.json", R"({"status":"finished","final":{"eval_ce":3.5,"eval_ppl":33.1,
    "eval_bands":{"0":{"tokens":0,"ce":null},"1-4":{"tokens":1,"ce":9.0},
    "5-19":{"tokens":0,"ce":null},"20-99":{"tokens":0,"ce":null},"100-499":{"tokens":3,"ce":5.0},
    "500-1999":{"tokens":100,"ce":1.0},"2000+":{"tokens":100,"ce":1.0}}}})");
  const std::optional<CellSummary> summary = read_cell_summary(RunFolder(temp.path()));
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->status, "finished");
  EXPECT_EQ(summary->eval_ce, 3.5);
  EXPECT_EQ(summary->rare_ce, 6.0);  // (9 + 3·5) / 4
}

TEST(CellSummaryTest, WithoutFiguresOrWhatCanBeReadThereIsNone) {
  const TempFolder temp;
  EXPECT_FALSE(read_cell_summary(RunFolder(temp.path())));
  temp.file("summary.json", R"({"status":"diverged","final":{}})");
  const std::optional<CellSummary> summary = read_cell_summary(RunFolder(temp.path()));
  ASSERT_TRUE(summary);
  EXPECT_FALSE(summary->eval_ce);
  for (const char* damaged : {"", "{", "[]", R"({"status":1})", R"({"status":"finished"})",
                              R"({"status":"finished","final":{"eval_ce":"low"}})"}) {
    temp.file("summary.json", damaged);
    EXPECT_FALSE(read_cell_summary(RunFolder(temp.path()))) << damaged;
  }
}

TEST(CellFilesTest, TokensAreLentOnceTheyAreComplete) {
  const TempFolder temp;
  const RunFolder from(temp / "one");
  const RunFolder to(temp / "two");
  temp.file("one/cache/tokens-a.bin", "tokens");
  temp.file("one/cache/.tmp-tokens-b.bin", "part");
  EXPECT_FALSE(has_tokens(from));
  temp.file("one/metrics.jsonl", "");
  EXPECT_TRUE(has_tokens(from));
  temp.file("two/cache/counts-c.json", "own");
  temp.file("one/cache/counts-c.json", "other");
  lend_tokens(from, to);
  lend_tokens(from, to);
  lend_tokens(from, from);
  EXPECT_TRUE(fs::equivalent(from.cache() / "tokens-a.bin", to.cache() / "tokens-a.bin"));
  EXPECT_EQ(file_content(to.cache() / "counts-c.json"), "own");
  EXPECT_FALSE(fs::exists(to.cache() / ".tmp-tokens-b.bin"));
}

TEST(CellFilesTest, AFolderIsLockedAsLongAsItsProcessLives) {
  const TempFolder temp;
  EXPECT_FALSE(is_locked(temp / "none"));
  EXPECT_FALSE(fs::exists(temp / "none"));
  const std::string path = temp.file("cell/.lock", "");
  const int file = ::open(path.c_str(), O_RDWR);
  ASSERT_EQ(::flock(file, LOCK_EX), 0);
  EXPECT_TRUE(is_locked(temp / "cell"));
  ::close(file);
  EXPECT_FALSE(is_locked(temp / "cell"));  // though the killed process has left its file
}

}  // namespace
}  // namespace pdl
