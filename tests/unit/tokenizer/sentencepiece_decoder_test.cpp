// The texts that ids of SentencePiece models stand for. Expected ones follow from the flags of the
// model, whose meaning sentencepiece_model.proto documents.
#include <gtest/gtest.h>

#include <stdexcept>

#include "pdl/tokenizer/tokenizer.h"
#include "support/temp_folder.h"
#include "tokenizer/sentencepiece_files.h"

namespace pdl::sentencepiece_files {
namespace {

using Ids = std::vector<int32_t>;

// Of the normalizer_spec.
std::string flags(bool add_dummy_prefix, bool remove_extra_whitespaces) {
  return field(3,
               field(3, uint64_t{add_dummy_prefix}) + field(4, uint64_t{remove_extra_whitespaces}));
}

// Ids: 0 unknown, 1 "▁", 2 to 27 letters, 28 <s>, 29 "▁ab", 30 to 285 bytes.
std::string model_with_bytes(const std::string& more) {
  std::string model = model_of(kBpe, field(2, field(35, uint64_t{1})));
  model += piece("<s>", 0, kControl) + piece("▁ab", -1, kNormal);
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    model += piece(name, 0, kByte);
  }
  return model + more;
}
constexpr int32_t kFirstByte = 30;

std::string decoded(const std::string& model, const Ids& ids) {
  const TempFolder folder;
  return load_tokenizer(folder.file("t.model", model))->decode(ids);
}

TEST(SentencePieceDecoderTest, TheSpacePutBeforeTheTextIsDropped) {
  EXPECT_EQ(decoded(model_with_bytes(flags(true, false)), {1, 29, 1, 2}), " ab a");
  EXPECT_EQ(decoded(model_with_bytes(flags(true, false)), {1, 1, 2}), " a");
  EXPECT_EQ(decoded(model_with_bytes(flags(false, true)), {1, 1, 29, 1}), "ab ");
  EXPECT_EQ(decoded(model_with_bytes(flags(false, false)), {29, 1, 2}), " ab a");
  EXPECT_EQ(decoded(model_with_bytes(""), {}), "");
}

TEST(SentencePieceDecoderTest, ControlTokensAreLeftOutAndUnknownOnesShown) {
  EXPECT_EQ(decoded(model_with_bytes(""), {28, 29, 28, 0, 2}), "ab ⁇ a");
  EXPECT_EQ(decoded(model_with_bytes(field(2, field(44, "?"))), {2, 0, 2}), "a?a");
}

TEST(SentencePieceDecoderTest, BytesAreJoinedToCharacters) {
  const auto byte = [](int value) { return kFirstByte + value; };
  const std::string model = model_with_bytes("");
  EXPECT_EQ(decoded(model, {2, byte(0xc3), byte(0xa9), byte('!')}), "aé!");
  // Every byte that is no part of a character is replaced. A token between bytes separates them.
  EXPECT_EQ(decoded(model, {byte(0xe4), byte(0xbd), byte('x')}), "\ufffd\ufffdx");
  EXPECT_EQ(decoded(model, {byte(0xc3), 28, byte(0xa9)}), "\ufffd\ufffd");
}

TEST(SentencePieceDecoderTest, ForeignIdsAreRefused) {
  EXPECT_THROW(decoded(model_with_bytes(""), {2, kFirstByte + 256}), std::invalid_argument);
  EXPECT_THROW(decoded(model_with_bytes(""), {-1}), std::invalid_argument);
}

}  // namespace
}  // namespace pdl::sentencepiece_files
