#include "pdl/tokens/tokenized_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/byte_tokenizer.h"
#include "support/corpus_of.h"
#include "support/temp_folder.h"
#include "tokens/token_cache_file.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

int32_t id(char byte) { return ByteTokenizer::kFirstByte + byte; }

// Counts the calls of encode().
class CountingTokenizer : public ByteTokenizer {
 public:
  bool has_words() const override { return false; }
  std::vector<int32_t> encode(std::string_view text, bool begins) const override {
    ++num_calls;
    return ByteTokenizer::encode(text, begins);
  }

  mutable int num_calls = 0;
};

class TokenCacheTest : public ::testing::Test {
 protected:
  Corpus lines(const std::string& content) const {
    return {.files = {folder.file("a.txt", content)},
            .text = {.text_document = TextDocument::kLine},
            .tokenizer = &tokenizer};
  }

  // Acts as a run that tokenizes and keeps the tokens; returns whether it had to encode.
  bool encodes(const Corpus& corpus) {
    const int before = tokenizer.num_calls;
    TokenCache cache(folder / "cache");
    const TokenizedCorpus tokens = cache.tokenize(corpus, {});
    const bool has_encoded = tokenizer.num_calls > before;
    TokenCache nowhere("");
    const TokenizedCorpus expected = nowhere.tokenize(corpus, {});
    EXPECT_EQ(ids_of(tokens.tokens), ids_of(expected.tokens));
    EXPECT_TRUE(std::equal(tokens.document_ends.begin(), tokens.document_ends.end(),
                           expected.document_ends.begin(), expected.document_ends.end()));
    EXPECT_EQ(tokens.sha256, expected.sha256);
    EXPECT_EQ(tokens.all_trained, expected.all_trained);
    EXPECT_EQ(tokens.document_counts.documents, expected.document_counts.documents);
    EXPECT_EQ(tokens.document_counts.empty_documents, expected.document_counts.empty_documents);
    EXPECT_EQ(tokens.notes, expected.notes);
    cache.keep();
    return has_encoded;
  }

  fs::path kept_file() const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(folder / "cache")) found = entry.path();
    return found;
  }

  TempFolder folder;
  CountingTokenizer tokenizer;
};

TEST_F(TokenCacheTest, KeepsTheDocumentsApart) {
  TokenCache cache("");
  const TokenizedCorpus corpus =
      cache.tokenize({.files = {folder.file("a.txt", "ab\n\nc"), folder.file("b.txt", "d")},
                      .text = {.text_document = TextDocument::kLine},
                      .tokenizer = &tokenizer},
                     {.num_threads = 2});
  EXPECT_THAT(ids_of(corpus.tokens), ElementsAre(id('a'), id('b'), 2, id('c'), 2, id('d'), 2));
  EXPECT_THAT(corpus.document_ends, ElementsAre(3, 5, 7));
  EXPECT_THAT(ids_of(corpus.document(1)), ElementsAre(id('c'), 2));
  EXPECT_EQ(corpus.document_counts.documents, 3);
  EXPECT_EQ(corpus.document_counts.empty_documents, 1);
}

TEST_F(TokenCacheTest, NothingIsLeftUntilItIsKept) {
  {
    TokenCache cache(folder / "run" / "cache");
    cache.tokenize(lines("ab\nc"), {});
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);  // the text
}

TEST_F(TokenCacheTest, ASecondTimeNothingIsEncoded) {
  const Corpus corpus = lines("ab\n\nc");
  EXPECT_TRUE(encodes(corpus));
  EXPECT_FALSE(encodes(corpus));
}

TEST_F(TokenCacheTest, OtherTextOrOptionsAreTokenizedAnew) {
  EXPECT_TRUE(encodes(lines("ab\nc")));
  EXPECT_TRUE(encodes(lines("ab\nd")));
  Corpus corpus = lines("ab\nc");
  EXPECT_FALSE(encodes(corpus));
  corpus.text.add_bos = true;
  EXPECT_TRUE(encodes(corpus));
  corpus.text.text_document = TextDocument::kParagraph;
  EXPECT_TRUE(encodes(corpus));
  corpus.text.completion_only_loss = false;
  EXPECT_TRUE(encodes(corpus));
}

TEST_F(TokenCacheTest, PromptsStayUntrained) {
  Corpus corpus = lines("");
  corpus.files = {folder.file("a.jsonl", "{\"prompt\": \"p\", \"completion\": \"c\"}")};
  EXPECT_TRUE(encodes(corpus));
  EXPECT_FALSE(encodes(corpus));
  TokenCache cache(folder / "cache");
  const TokenizedCorpus tokens = cache.tokenize(corpus, {});
  EXPECT_FALSE(tokens.all_trained);
  EXPECT_FALSE(tokens.tokens[0].is_trained());
  EXPECT_TRUE(tokens.tokens[1].is_trained());
}

TEST_F(TokenCacheTest, NotesAreKeptWithTheTokens) {
  Corpus corpus = lines("");
  corpus.files = {folder.file("a.jsonl",
                              R"({"text": "a<special>", "id": 1}
{"messages": [{"role": "user", "content": "u"}]})")};
  EXPECT_TRUE(encodes(corpus));
  EXPECT_FALSE(encodes(corpus));
  TokenCache cache(folder / "cache");
  const CorpusNotes notes = cache.tokenize(corpus, {}).notes;
  EXPECT_EQ(notes.doubled_eos, 1);
  EXPECT_EQ(notes.bounded, 1);
  EXPECT_EQ(notes.spelt_chats, 1);
  EXPECT_THAT(notes.other_fields, ElementsAre("id"));
}

TEST_F(TokenCacheTest, EveryDamageIsSeen) {
  const Corpus corpus = lines("ab\n\nc");
  ASSERT_TRUE(encodes(corpus));
  const fs::path path = kept_file();
  const std::string good = file_content(path);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    std::ofstream(path, std::ios::binary) << bad;
    TokenCache cache(folder / "cache");
    const TokenizedCorpus tokens = cache.tokenize(corpus, {});
    ASSERT_THAT(tokens.document_ends, ElementsAre(3, 5)) << i;
    ASSERT_THAT(ids_of(tokens.tokens), ElementsAre(id('a'), id('b'), 2, id('c'), 2)) << i;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    std::ofstream(path, std::ios::binary) << good.substr(0, size);
    TokenCache cache(folder / "cache");
    ASSERT_EQ(cache.tokenize(corpus, {}).tokens.size(), 5U) << size;
  }
}

TEST_F(TokenCacheTest, AFileThatCannotBeOpenedIsDamagedAndAMissingOneIsNot) {
  std::string damage;
  EXPECT_FALSE(open_cached_tokens(folder / "none", damage));
  EXPECT_EQ(damage, "");
  fs::create_symlink("loop", folder / "loop");
  EXPECT_FALSE(open_cached_tokens(folder / "loop", damage));
  EXPECT_THAT(damage, HasSubstr("cannot be opened"));
}

TEST_F(TokenCacheTest, WhiteSpaceAloneIsADataError) {
  TokenCache cache("");
  EXPECT_THROW(cache.tokenize(lines(" \n"), {}), DataError);
}

}  // namespace
}  // namespace pdl
