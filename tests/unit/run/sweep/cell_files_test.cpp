#include "run/sweep/cell_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
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

// A folder in another file system than temporary files are in; empty: there is none.
fs::path other_file_system(const fs::path& folder) {
  struct stat here {};
  struct stat there {};
  const char* path = "/dev/shm";
  const bool is_other = ::stat(folder.c_str(), &here) == 0 && ::stat(path, &there) == 0 &&
                        here.st_dev != there.st_dev && ::access(path, W_OK) == 0;
  return is_other ? path : "";
}

TEST(CellFilesTest, WhereThereAreNoLinksTokensAreCopied) {
  const TempFolder temp;
  const fs::path elsewhere = other_file_system(temp.path());
  if (elsewhere.empty()) GTEST_SKIP() << "there is no other file system";
  const fs::path folder = elsewhere / ("pdl-lend-tokens-" + std::to_string(::getpid()));
  const RunFolder from(temp / "one");
  const RunFolder to(folder);
  temp.file("one/cache/tokens-a.bin", "tokens");
  lend_tokens(from, to);
  EXPECT_EQ(file_content(to.cache() / "tokens-a.bin"), "tokens");
  EXPECT_FALSE(fs::equivalent(from.cache() / "tokens-a.bin", to.cache() / "tokens-a.bin"));
  EXPECT_FALSE(fs::exists(to.cache() / ".tmp-tokens-a.bin"));
  // A folder in the way of the copy: the run makes its own tokens, and nothing is left half made.
  fs::remove(to.cache() / "tokens-a.bin");
  fs::create_directories(to.cache() / ".tmp-tokens-a.bin");
  lend_tokens(from, to);
  EXPECT_FALSE(fs::exists(to.cache() / "tokens-a.bin"));
  fs::remove_all(folder);
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
