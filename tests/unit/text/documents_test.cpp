#include "pdl/text/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "pdl/base/sha256.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
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
  EXPECT_THAT(split("\ufeffa", TextDocument::kFile), ElementsAre("a"));
  EXPECT_THAT(split("\ufeff\ufeffa", TextDocument::kFile),
              ElementsAre("\ufeffa"));  // one mark is dropped
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

TEST(DocumentsTest, FilesKeepTheirOrderAndAreHashed) {
  const TempFolder folder;
  const std::vector<std::string> files = {folder.file("b.txt", "second"),
                                          folder.file("a.txt", "first")};
  std::vector<std::string> documents;
  std::string hash;
  for_each_document(
      files, TextDocument::kFile, [&](std::string_view text) { documents.emplace_back(text); },
      &hash);
  EXPECT_THAT(documents, ElementsAre("second", "first"));
  EXPECT_EQ(hash, sha256(sha256("second") + "\n" + sha256("first") + "\n"));
}

void expect_data_error(const std::string& file, const std::string& what) {
  try {
    for_each_document({file}, TextDocument::kFile, [](std::string_view) {});
    FAIL() << "no error for " << file;
  } catch (const DataError& problem) {
    EXPECT_THAT(problem.what(), HasSubstr(what));
    EXPECT_THAT(problem.what(), HasSubstr(file));
  }
}

TEST(DocumentsTest, ErrorsNameFileAndByte) {
  const TempFolder folder;
  expect_data_error((folder / "none.txt").string(), "does not exist");
  expect_data_error(folder.path().string(), "is a folder");
  expect_data_error(folder.file("empty.txt", ""), "is empty");
  expect_data_error(folder.file("latin1.txt", "caf\xe9 noir"), "byte 3");
}

}  // namespace
}  // namespace pdl
