#include "pdl/text/tokenized_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "support/byte_tokenizer.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;

int32_t id(char byte) { return ByteTokenizer::kFirstByte + byte; }

TEST(TokenizedCorpusTest, DocumentsCarryBosAndEosAsAsked) {
  const ByteTokenizer tokenizer;
  TextOptions options;
  options.add_bos = true;
  EXPECT_THAT(encode_document("ab", options, tokenizer), ElementsAre(1, id('a'), id('b'), 2));
  options.add_bos = false;
  options.add_eos = false;
  EXPECT_THAT(encode_document("ab", options, tokenizer), ElementsAre(id('a'), id('b')));
}

TEST(TokenizedCorpusTest, KeepsTheDocumentsApart) {
  const TempFolder folder;
  TextOptions options;
  options.text_document = TextDocument::kLine;
  const TokenizedCorpus corpus = tokenize_corpus(
      {folder.file("a.txt", "ab\n\nc"), folder.file("b.txt", "d")}, options, ByteTokenizer());
  EXPECT_THAT(corpus.ids, ElementsAre(id('a'), id('b'), 2, id('c'), 2, id('d'), 2));
  EXPECT_THAT(corpus.document_ends, ElementsAre(3, 5, 7));
  EXPECT_THAT(corpus.document(1), ElementsAre(id('c'), 2));
  EXPECT_EQ(corpus.document_counts.documents, 3);
  EXPECT_EQ(corpus.document_counts.empty_documents, 1);
}

TEST(TokenizedCorpusTest, ATokenThatTheTokenizerLacksIsAModelError) {
  TextOptions options;
  options.add_bos = true;
  EXPECT_THROW(encode_document("a", options, ByteTokenizer(/*has_bos=*/false)), ModelError);
}

TEST(TokenizedCorpusTest, WhiteSpaceAloneIsADataError) {
  const TempFolder folder;
  EXPECT_THROW(tokenize_corpus({folder.file("a.txt", " \n")}, {}, ByteTokenizer()), DataError);
}

}  // namespace
}  // namespace pdl
