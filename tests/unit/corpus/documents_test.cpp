#include "pdl/corpus/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> split(std::string_view text, TextDocument document,
                               DocumentCounts* counts = nullptr) {
  std::vector<std::string> documents;
  DocumentCounts own_counts;
  split_documents(text, document, counts != nullptr ? *counts : own_counts,
                  [&](std::string_view found) { documents.emplace_back(found); });
  return documents;
}

TEST(DocumentsTest, AFileIsOneDocumentByteForByte) {
  EXPECT_THAT(split(" a\r\nb\n\n", TextDocument::kFile), ElementsAre(" a\r\nb\n\n"));
}

TEST(DocumentsTest, LinesLoseTheirEndingAlone) {
  DocumentCounts counts;
  EXPECT_THAT(split("a \r\n\n b\n \t\nc", TextDocument::kLine, &counts),
              ElementsAre("a ", " b", "c"));
  EXPECT_EQ(counts.documents, 3);
  EXPECT_EQ(counts.empty_documents, 2);
}

TEST(DocumentsTest, AFinalNewlineBeginsNoLine) {
  DocumentCounts counts;
  split("a\n", TextDocument::kLine, &counts);
  EXPECT_EQ(counts.empty_documents, 0);
}

TEST(DocumentsTest, ParagraphsAreRunsOfLines) {
  DocumentCounts counts;
  EXPECT_THAT(split("\n\na\r\n b \n \u00a0\n\nc\n", TextDocument::kParagraph, &counts),
              ElementsAre("a\n b ", "c"));
  EXPECT_EQ(counts.documents, 2);
}

TEST(DocumentsTest, WhiteSpaceAloneIsNoDocument) {
  for (const TextDocument kind :
       {TextDocument::kFile, TextDocument::kLine, TextDocument::kParagraph}) {
    EXPECT_THAT(split(" \n\t\n\u3000", kind), IsEmpty());
  }
}

}  // namespace
}  // namespace pdl
