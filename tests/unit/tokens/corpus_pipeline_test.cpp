#include "pdl/tokens/corpus_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <random>

#include "pdl/base/error.h"
#include "pdl/base/sha256.h"
#include "support/byte_tokenizer.h"
#include "support/corpus_of.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Result {
  std::vector<int32_t> ids;
  std::vector<int64_t> document_ends;
  DocumentCounts counts;
  CorpusNotes notes;
  std::string sha256;
  int64_t num_blocks = 0;
};

Result run(const Corpus& corpus, const PipelineOptions& options = {}) {
  Result result;
  const CorpusSummary summary =
      for_each_block(corpus, options, [&](int64_t, const BlockTokens& block) {
        const auto before = std::ssize(result.ids);
        for (const int32_t id : ids_of(block.tokens)) result.ids.push_back(id);
        for (const int64_t end : block.document_ends) result.document_ends.push_back(before + end);
        ++result.num_blocks;
      });
  result.counts = summary.document_counts;
  result.notes = summary.notes;
  result.sha256 = summary.sha256;
  return result;
}

// Makes 5 MB of lines, blank lines and paragraphs.
std::string long_text() {
  std::mt19937 random(3);
  std::string text = "\ufeff";
  while (text.size() < 5'000'000) {
    text += std::string(random() % 60, static_cast<char>('a' + random() % 26));
    text += random() % 5 == 0   ? " \n\r\n\n"
            : random() % 9 == 0 ? "\r\n"
            : random() % 2 == 0 ? "\n"
                                : " ";
  }
  return text;
}

class CorpusPipelineTest : public ::testing::Test {
 protected:
  Corpus corpus(std::vector<std::string> files, TextDocument document) const {
    return {
        .files = std::move(files), .text = {.text_document = document}, .tokenizer = &tokenizer};
  }

  TempFolder folder;
  ByteTokenizer tokenizer;
};

// Blocks on any number of threads must give the documents of the whole text, split at once.
TEST_F(CorpusPipelineTest, BlocksAndThreadsChangeNothing) {
  const std::string text = long_text();
  const std::string file = folder.file("long.txt", text);
  for (const TextDocument document :
       {TextDocument::kFile, TextDocument::kLine, TextDocument::kParagraph}) {
    Result expected;
    split_documents(std::string_view(text).substr(3), document, expected.counts,
                    [&](std::string_view found) {
                      for (const int32_t id : tokenizer.encode(found)) expected.ids.push_back(id);
                      expected.ids.push_back(2);
                      expected.document_ends.push_back(std::ssize(expected.ids));
                    });
    for (const int64_t num_threads : {1, 2, 5}) {
      const Result result = run(corpus({file, file}, document), {.num_threads = num_threads});
      EXPECT_GE(result.num_blocks, 8);
      ASSERT_EQ(result.ids.size(), 2 * expected.ids.size());
      EXPECT_TRUE(std::equal(expected.ids.begin(), expected.ids.end(), result.ids.begin()));
      EXPECT_TRUE(std::equal(expected.ids.rbegin(), expected.ids.rend(), result.ids.rbegin()));
      EXPECT_TRUE(std::equal(expected.document_ends.begin(), expected.document_ends.end(),
                             result.document_ends.begin()));
      EXPECT_EQ(result.document_ends.back(), std::ssize(result.ids));
      EXPECT_EQ(result.counts.documents, 2 * expected.counts.documents);
      EXPECT_EQ(result.counts.empty_documents, 2 * expected.counts.empty_documents);
    }
  }
}

TEST_F(CorpusPipelineTest, ShardsAreTheBlocksOfTheWhole) {
  const std::string file = folder.file("long.txt", long_text());
  const Corpus lines = corpus({file}, TextDocument::kLine);
  const Result whole = run(lines);
  for (const int64_t num_shards : {1, 2, 3, 20}) {
    std::vector<int64_t> counts(300);
    DocumentCounts documents;
    for (int64_t shard = 0; shard < num_shards; ++shard) {
      const Result part = run(lines, {.num_threads = 2, .shard = shard, .num_shards = num_shards});
      for (const int32_t id : part.ids) ++counts[static_cast<size_t>(id)];
      documents.documents += part.counts.documents;
      EXPECT_EQ(part.sha256, whole.sha256);
    }
    for (const int32_t id : whole.ids) --counts[static_cast<size_t>(id)];
    EXPECT_EQ(counts, std::vector<int64_t>(300));
    EXPECT_EQ(documents.documents, whole.counts.documents);
  }
}

TEST_F(CorpusPipelineTest, FilesKeepTheirOrderAndAreHashed) {
  const Result result =
      run(corpus({folder.file("b.txt", "z"), folder.file("a.txt", "y")}, TextDocument::kFile));
  EXPECT_THAT(result.ids, ElementsAre(3 + 'z', 2, 3 + 'y', 2));
  EXPECT_EQ(result.sha256, sha256(sha256("z") + "\n" + sha256("y") + "\n"));
}

TEST_F(CorpusPipelineTest, AFileOfWhiteSpaceIsAnEmptyDocument) {
  const Result result = run(corpus({folder.file("a.txt", " \n\u3000")}, TextDocument::kFile));
  EXPECT_TRUE(result.ids.empty());
  EXPECT_EQ(result.counts.empty_documents, 1);
}

TEST_F(CorpusPipelineTest, RecordsAreDocuments) {
  const std::string file = folder.file("a.jsonl",
                                       "\ufeff{\"text\": \"x\"}\r\n\n  \n{\"text\": \" "
                                       "\"}\n{\"prompt\": \"p\", \"completion\": \"c\"}");
  const Result result = run(corpus({file}, TextDocument::kLine));
  EXPECT_THAT(result.ids, ElementsAre(3 + 'x', 2, 3 + 'p', 3 + 'c', 2));
  EXPECT_EQ(result.counts.documents, 2);
  EXPECT_EQ(result.counts.empty_documents, 1);
}

TEST_F(CorpusPipelineTest, ThreadsAndShardsChangeNoNote) {
  std::mt19937 random(4);
  std::string records;
  CorpusNotes expected;
  for (int i = 0; i < 60'000; ++i) {
    const bool ends = random() % 3 == 0;
    const bool begins = random() % 5 == 0;
    const bool is_chat = random() % 4 == 0;
    if (is_chat) {
      records += R"({"messages": [{"role": "assistant", "content": "<special> some words"}]})";
      ++expected.spelt_chats;
    } else {
      records += R"({"text": ")" + std::string(begins ? "<special>" : "") + "some words to read" +
                 (ends ? "<special>" : "") + R"(", "id)" + std::to_string(i % 20) + R"(": 1})";
      ++expected.bounded;
      expected.doubled_bos += begins ? 1 : 0;
      expected.doubled_eos += ends ? 1 : 0;
    }
    records += i % 10 == 0 ? "\n{\"text\": \"\", \"a\": 1}\n" : "\n";  // an empty one
  }
  expected.spelt_controls = {"<|im_end|>", "<|im_start|>"};
  expected.other_fields = {"id0", "id1", "id10", "id11", "id12", "id13", "id14", "id15"};
  Corpus all = corpus({folder.file("a.jsonl", records)}, TextDocument::kFile);
  all.text.add_bos = true;
  for (const int64_t num_threads : {1, 2, 5}) {
    for (const bool in_order : {true, false}) {
      CorpusNotes notes = for_each_block(all, {.num_threads = num_threads, .in_order = in_order},
                                         [](int64_t, const BlockTokens&) {})
                              .notes;
      EXPECT_EQ(notes, expected);
    }
  }
  CorpusNotes sum;
  for (const int64_t shard : {0, 1, 2})
    sum.add(run(all, {.num_threads = 2, .shard = shard, .num_shards = 3}).notes);
  EXPECT_EQ(sum, expected);
}

TEST_F(CorpusPipelineTest, AFileOfSeveralBlocksIsOneDocumentInTheNotes) {
  Corpus one =
      corpus({folder.file("a.txt", "<special>" + std::string(3'000'000, 'a') + "<special>"),
              folder.file("b.txt", "b")},
             TextDocument::kFile);
  one.text.add_bos = true;
  const Result result = run(one, {.num_threads = 3});
  EXPECT_GE(result.num_blocks, 4);
  EXPECT_EQ(result.notes, (CorpusNotes{.bounded = 2, .doubled_bos = 1, .doubled_eos = 1}));
}

std::string message_of(const Corpus& corpus, int64_t num_threads) {
  try {
    run(corpus, {.num_threads = num_threads});
  } catch (const DataError& problem) {
    return problem.what();
  }
  return "no error";
}

TEST_F(CorpusPipelineTest, TheFirstErrorOfTheCorpusIsReported) {
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "{\"text\": \"some words to read\"}\n";
  const std::string file =
      folder.file("a.jsonl", lines + "{\"text\": 1}\n" + lines + "{\"text\": 2}\nnonsense");
  for (const int64_t num_threads : {1, 2, 7}) {
    EXPECT_THAT(message_of(corpus({file}, TextDocument::kLine), num_threads),
                HasSubstr("line 200001"));
  }
}

TEST_F(CorpusPipelineTest, ErrorsNameFileAndPlace) {
  const auto expect = [&](const std::string& file, const std::string& what) {
    const std::string message = message_of(corpus({file}, TextDocument::kFile), 2);
    EXPECT_THAT(message, HasSubstr(what));
    EXPECT_THAT(message, HasSubstr(file));
  };
  expect((folder / "none.txt").string(), "does not exist");
  expect(folder.file("empty.txt", ""), "is empty");
  expect(folder.file("latin1.txt", "caf\xe9 noir"), "byte 3");
  expect(folder.file("late.txt", std::string(3'000'000, 'a') + "\xff"), "byte 3000000");
  expect(folder.file("long.jsonl", "{}\n" + std::string(20'000'000, ' ')), "line 2");
}

TEST_F(CorpusPipelineTest, FewerThreadsThanAskedForAreSaid) {
  pthread_attr_t before;
  ASSERT_EQ(pthread_getattr_default_np(&before), 0);
  pthread_attr_t too_large;
  pthread_attr_init(&too_large);
  ASSERT_EQ(pthread_attr_setstacksize(&too_large, size_t{1} << 50), 0);
  ASSERT_EQ(pthread_setattr_default_np(&too_large), 0);
  testing::internal::CaptureStderr();
  const Result result =
      run(corpus({folder.file("a.txt", "ab")}, TextDocument::kFile), {.num_threads = 3});
  const std::string log = testing::internal::GetCapturedStderr();
  pthread_setattr_default_np(&before);
  EXPECT_EQ(result.ids.size(), 3U);
  EXPECT_THAT(log, HasSubstr("only 1 of 3 threads for text can be started"));
}

}  // namespace
}  // namespace pdl
