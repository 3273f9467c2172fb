#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/sha256.h"
#include "pdl/tokenizer/sentencepiece_trainer.h"
#include "pdl/tokenizer/tokenizer.h"
#include "support/temp_folder.h"
#include "tokenizer/sentencepiece_files.h"

namespace pdl::sentencepiece_files {
namespace {

using ::testing::HasSubstr;

const std::string& model_bytes() {
  static const std::string bytes = [] {
    std::vector<std::string> sentences;
    for (int i = 0; i < 200; ++i)
      sentences.push_back("lorem ipsum " + std::to_string(i) + " dolor sit amet");
    return train_sentencepiece_bpe(sentences, 300);
  }();
  return bytes;
}

TEST(SentencePieceTokenizerTest, DescribesTheModel) {
  const TempFolder folder;
  const auto tokenizer = load_tokenizer(folder.file("t.model", model_bytes()));
  EXPECT_EQ(tokenizer->size(), 300);
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_EQ(tokenizer->pad_id(), std::nullopt);
  EXPECT_EQ(tokenizer->special_ids(), (std::vector<int32_t>{0, 1, 2}));  // and no byte token
  EXPECT_EQ(tokenizer->sha256(), sha256(model_bytes()));
}

TEST(SentencePieceTokenizerTest, DeclaresWhatTheConfigBesideItSays) {
  const TempFolder folder;
  const std::filesystem::path file = folder.file("t.model", model_bytes());
  EXPECT_FALSE(load_tokenizer(file)->declared_tokens().bos);
  folder.file("tokenizer_config.json",
              R"({"bos_token": "none of its own", "add_bos_token": true})");
  const auto tokenizer = load_tokenizer(file);
  ASSERT_TRUE(tokenizer->declared_tokens().bos);
  EXPECT_TRUE(tokenizer->declared_tokens().bos->is_added);
  EXPECT_FALSE(tokenizer->declared_tokens().eos);
  EXPECT_EQ(tokenizer->bos_id(), 1);  // of the model
  EXPECT_EQ(tokenizer->sha256(), sha256(model_bytes()));
  folder.file("tokenizer_config.json", "{");
  EXPECT_THROW(load_tokenizer(file), ModelError);
}

TEST(SentencePieceTokenizerTest, PiecesSpellTheText) {
  const TempFolder folder;
  const auto tokenizer = load_tokenizer(folder.file("t.model", model_bytes()));
  std::string spelled;
  for (const int32_t id : tokenizer->encode("lorem dolor")) spelled += tokenizer->piece(id);
  EXPECT_EQ(spelled, "▁lorem▁dolor");
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST(SentencePieceTokenizerTest, MissingAndForeignFilesAreModelErrors) {
  const TempFolder folder;
  EXPECT_THROW(load_tokenizer(folder / "none.model"), ModelError);
  EXPECT_THROW(load_tokenizer(folder.path()), ModelError);
  EXPECT_THROW(load_tokenizer(folder.file("empty.model", "")), ModelError);
  EXPECT_THROW(load_tokenizer(folder.file("text.model", "this is no model")), ModelError);
}

std::string problem_with(const std::string& model) {
  const TempFolder folder;
  try {
    load_tokenizer(folder.file("bad.model", model));
  } catch (const ModelError& problem) {
    EXPECT_THAT(problem.what(), HasSubstr("bad.model"));
    return problem.what();
  }
  return "";
}

// By hand: a text is cut before each space; what is no piece is unknown, or its bytes. The name of
// a control token is a word like others.
TEST(SentencePieceTokenizerTest, AModelOfWordsLooksThemUp) {
  const std::string words = piece("<unk>", 0, kUnknown) + piece("<s>", 0, kControl) +
                            piece("▁the", -1, kNormal) + piece("▁", -2, kNormal) +
                            piece("▁gone", -3, kUnused);
  const std::string normalizer = field(3, field(4, uint64_t{0}));
  const TempFolder folder;
  const auto tokenizer =
      load_tokenizer(folder.file("w.model", words + field(2, field(3, kWord)) + normalizer));
  EXPECT_EQ(tokenizer->encode("the the  cat"), (std::vector<int32_t>{2, 2, 3, 0}));
  EXPECT_EQ(tokenizer->encode("<s> gone the"), (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(tokenizer->encode("<s> the", false), (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(tokenizer->encode("the the", false), (std::vector<int32_t>{0, 2}));
}

TEST(SentencePieceTokenizerTest, AModelOfCharactersKnowsLongerUserDefinedPieces) {
  const TempFolder folder;
  const std::string own = piece("ab", 0, kUserDefined) + piece("abc", 0, kUserDefined);
  const auto tokenizer = load_tokenizer(folder.file("c.model", model_of(kChar, own)));
  EXPECT_EQ(tokenizer->encode("abcab d9"), (std::vector<int32_t>{1, 29, 28, 1, 5, 0}));
  EXPECT_EQ(tokenizer->encode("abd", false), (std::vector<int32_t>{28, 5}));
}

// The library would take an unknown type for another, ignore a field, or compare with NaN.
TEST(SentencePieceTokenizerTest, WhatTheLibraryTakesOtherwiseIsRefused) {
  for (const uint64_t type : {kUnigram, kBpe}) {
    EXPECT_EQ(problem_with(model_of(type, "")), "");
    EXPECT_THAT(problem_with(model_of(type, piece("xx", NAN, kNormal))), HasSubstr("no number"));
    EXPECT_EQ(problem_with(model_of(type, piece("xx", INFINITY, kNormal))).empty(), type == kBpe);
    EXPECT_EQ(problem_with(model_of(type, piece({"x\0", 2}, 0, kNormal))).empty(), type == kBpe);
    EXPECT_THAT(problem_with(model_of(type, piece("xx", 0, 17))), HasSubstr("unknown type 17"));
    EXPECT_THAT(problem_with(model_of(type, piece("", 0, kNormal))), HasSubstr("empty"));
    EXPECT_THAT(problem_with(model_of(type, field(1, field(1, uint64_t{5})))),
                HasSubstr("damaged"));
    EXPECT_THAT(problem_with(model_of(type, field(1, std::string_view("\x0a\xff\xff", 3)))),
                HasSubstr("damaged"));
  }
  EXPECT_THAT(problem_with(model_of(9, "")), HasSubstr("model_type 9"));
}

// The library keeps the pieces with which a text begins in an array of 64.
TEST(SentencePieceTokenizerTest, AsManyUserDefinedPiecesMayBeginAlike) {
  std::string pieces;
  for (size_t size = 2; size < 66; ++size) {
    pieces += piece(std::string(size, 'a'), 0, kUserDefined);
  }
  EXPECT_EQ(problem_with(model_of(kBpe, pieces)), "");
}

// The message includes the library's own.
TEST(SentencePieceTokenizerTest, TheLibrarysReasonIsSaid) {
  EXPECT_THAT(problem_with(model_of(kBpe, piece("a", 0, kNormal))),
              HasSubstr("cannot load it: Internal: a is already defined"));
}

// The map has no rule, and units that lead to one another, which a text would have to meet.
TEST(SentencePieceTokenizerTest, ADamagedMapOfCharactersIsRefusedWhenItIsLoaded) {
  std::string map(4 + 4 * 512, '\0');
  const auto set = [&](size_t unit, uint32_t value) {
    std::memcpy(map.data() + 4 * unit + 4, &value, sizeof value);
  };
  const uint32_t size = 4 * 512;
  std::memcpy(map.data(), &size, sizeof size);
  set(0, 256U << 10);
  for (uint32_t byte = 0; byte < 256; ++byte) set(256 + byte, 256U << 10 | byte);
  map += std::string("x\0", 2);
  for (const uint64_t type : {kUnigram, kBpe}) {
    EXPECT_THAT(problem_with(model_of(type, field(3, field(1, "own") + field(2, map)))),
                HasSubstr("map of characters"));
    EXPECT_THAT(problem_with(model_of(type, field(5, field(2, map)))),
                HasSubstr("map of characters"));  // by which decoded text is changed
  }
}

// Whatever the bytes, the process lives and the file is either refused or works.
TEST(SentencePieceTokenizerTest, DamagedModelsNeverEndTheProcess) {
  const TempFolder folder;
  Random random(1);
  for (int i = 0; i < 30; ++i) {
    std::string damaged = model_bytes();
    if (i % 2 == 0) {
      damaged.resize(random.below(damaged.size()));
    } else {
      for (int flips = 0; flips < 5; ++flips)
        damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    try {
      const auto tokenizer = load_tokenizer(folder.file("damaged.model", damaged));
      tokenizer->decode(tokenizer->encode("lorem"));
    } catch (const ModelError& problem) {
      EXPECT_THAT(problem.what(), HasSubstr("damaged.model"));
    }
  }
}

}  // namespace
}  // namespace pdl::sentencepiece_files
