// Compares TextEncoder with a reference on Unigram models whose scores are chosen so that rounding
// decides often.
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <random>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/tokenizer/text_encoder.h"
#include "pdl/tokenizer/tokenizer.h"
#include "support/sentencepiece_reference.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

constexpr int kNormal = 1;
constexpr int kUnknown = 2;
constexpr int kUserDefined = 4;
constexpr int kUnused = 5;
constexpr int kByte = 6;
const std::string kBlank = "\xe2\x96\x81";

struct Piece {
  std::string text;
  float score;
  int type = kNormal;
};

struct Model {
  std::vector<Piece> pieces;
  bool byte_fallback = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = false;
  std::string character_map = {};
  bool treat_whitespace_as_suffix = false;
};

// The wire format of Protocol Buffers; the numbers are those of sentencepiece_model.proto.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string field(uint64_t number, uint64_t value) { return varint(number << 3) + varint(value); }

std::string field(uint64_t number, const std::string& content) {
  return varint(number << 3 | 2) + varint(content.size()) + content;
}

std::string field(uint64_t number, float value) {
  std::string bytes = varint(number << 3 | 5);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}

std::string serialize(const Model& model) {
  std::string bytes = field(1, field(1, "<unk>") + field(2, 0.0F) + field(3, uint64_t{kUnknown}));
  for (const Piece& piece : model.pieces) {
    bytes += field(1, field(1, piece.text) + field(2, piece.score) +
                          field(3, static_cast<uint64_t>(piece.type)));
  }
  bytes += field(2, field(3, uint64_t{1}) + field(24, uint64_t{model.treat_whitespace_as_suffix}) +
                        field(35, uint64_t{model.byte_fallback}));
  return bytes +
         field(3, field(1, "made") + field(2, model.character_map) +
                      field(3, uint64_t{model.add_dummy_prefix}) +
                      field(4, uint64_t{model.remove_extra_whitespaces}) + field(5, uint64_t{1}));
}

struct Made {
  std::unique_ptr<Tokenizer> tokenizer;
  SentencePieceReference reference;
};

Made load(const TempFolder& folder, const Model& model) {
  const std::string serialized = serialize(model);
  write_file_durably(folder / "tokenizer.model", serialized);
  return {load_tokenizer(folder / "tokenizer.model"), SentencePieceReference(serialized)};
}

std::vector<int32_t> encode(TextEncoder& encoder, std::string_view text) {
  std::vector<int32_t> ids;
  encoder.encode(text, /*begins=*/true, ids);
  return ids;
}

// Shows where two lists of ids differ, not all of them.
void expect_same(const std::vector<int32_t>& ids, const std::vector<int32_t>& expected,
                 const std::string& what) {
  const auto [left, right] =
      std::mismatch(ids.begin(), ids.end(), expected.begin(), expected.end());
  EXPECT_TRUE(left == ids.end() && right == expected.end())
      << what << ": " << ids.size() << " and " << expected.size() << " ids, the first to differ is "
      << left - ids.begin();
}

// Pieces of up to five out of few letters, with or without a space before them, so that a text has
// many segmentations.
template <class Score>
std::vector<Piece> made_pieces(std::mt19937& random, Score score) {
  std::map<std::string, Piece> pieces = {{kBlank, {kBlank, score(1)}}};
  for (int i = 0; i < 150; ++i) {
    std::string text = i % 3 == 0 ? kBlank : "";
    const auto size = i < 3 ? 1 : 1 + random() % 5;
    for (size_t k = 0; k < size; ++k) text += static_cast<char>('a' + (i < 3 ? i : random() % 3));
    pieces[text] = {text, score(size)};
  }
  std::vector<Piece> all;
  for (const auto& [text, piece] : pieces) all.push_back(piece);
  return all;
}

std::string made_text(std::mt19937& random, size_t num_words) {
  std::string text;
  for (size_t i = 0; i < num_words; ++i) {
    text += ' ';
    for (auto size = random() % 8; size > 0; --size) text += static_cast<char>('a' + random() % 3);
    if (random() % 50 == 0) text += "\xc3\xa9\xe4\xbd\xa0";  // unknown
    if (random() % 50 == 0) text += kBlank;
    if (random() % 200 == 0) text += std::string(random() % 200, 'b');
  }
  return text;
}

struct Scores {
  const char* name;
  float step;    // scores are multiples of it: sums that end half-way between floats, and ties
  float spread;  // of the score of each letter
};

// From ties everywhere to scores whose sums all differ. With the larger ones sums begin anew often,
// in the end at each character.
constexpr Scores kScores[] = {{"equal", 1, 0},
                              {"few values", 0.5, 2},
                              {"fine", 0x1p-20F, 4},
                              {"close", 0x1p-23F, 0x1p-20F},
                              {"large, few values", 256, 4096},
                              {"large, half-way", 0.5, 4096},
                              {"large, fine", 0x1p-10F, 4096},
                              {"huge", 8192, 500'000}};

std::vector<Piece> pieces_with(std::mt19937& random, const Scores& scores) {
  return made_pieces(random, [&](size_t size) {
    std::uniform_real_distribution<float> spread(0, scores.spread);
    const float score = (1 + spread(random)) * static_cast<float>(size);
    return -std::round(score / scores.step) * scores.step;
  });
}

TEST(UnigramWordsTest, RoundsAsTheLibraryDoes) {
  const TempFolder folder;
  for (const Scores& scores : kScores) {
    for (unsigned seed = 1; seed <= 2; ++seed) {
      std::mt19937 random(seed);
      const Made made = load(folder, {.pieces = pieces_with(random, scores)});
      TextEncoder encoder(*made.tokenizer);
      const std::string what = std::string(scores.name) + ", seed " + std::to_string(seed);
      // Encodes twice, the second time from what is cached.
      const std::string long_text = made_text(random, 60'000);
      const std::vector<int32_t> expected = made.reference.encode(long_text);
      for (int i = 0; i < 2; ++i) expect_same(encode(encoder, long_text), expected, what);
      for (int i = 0; i < 300; ++i) {
        const std::string text = made_text(random, random() % 100);
        expect_same(encode(encoder, text), made.reference.encode(text), what);
      }
    }
  }
}

// The scores differ by 0.25 or are equal, which is far more than what rounding changes in a sum of
// 100,000, and nothing in one of a whole text of this size.
TEST(UnigramWordsTest, ARepeatedTextIsCutTheSameEverywhere) {
  const TempFolder folder;
  std::mt19937 random(9);
  const Made made = load(folder, {.pieces = pieces_with(random, {"far", 0.25, 4096})});
  TextEncoder encoder(*made.tokenizer);
  const std::string unit = made_text(random, 500);
  std::string text;
  for (int i = 0; i < 200; ++i) text += unit;
  const std::vector<int32_t> two = encode(encoder, unit + unit);
  const size_t num_first = encode(encoder, unit).size();
  const std::vector<int32_t> copy(two.begin() + static_cast<std::ptrdiff_t>(num_first), two.end());
  std::vector<int32_t> expected(two.begin(), two.end() - std::ssize(copy));
  for (int i = 1; i < 200; ++i) expected.insert(expected.end(), copy.begin(), copy.end());
  expect_same(encode(encoder, text), expected, "200 copies");
}

TEST(UnigramWordsTest, PiecesOverWordsAreSummedTheSameWay) {
  const TempFolder folder;
  for (const Scores& scores : kScores) {
    for (const bool suffix : {false, true}) {
      std::mt19937 random(10);
      Model model{.pieces = pieces_with(random, scores), .treat_whitespace_as_suffix = suffix};
      model.pieces.push_back({"a" + kBlank + "b", -2});
      model.pieces.push_back({"b" + kBlank, -2 * scores.step});
      model.remove_extra_whitespaces = scores.step < 1;
      const Made made = load(folder, model);
      TextEncoder encoder(*made.tokenizer);
      for (const size_t num_words : {size_t{0}, size_t{1}, size_t{30}, size_t{20'000}}) {
        const std::string text = made_text(random, num_words);
        expect_same(encode(encoder, text), made.reference.encode(text), scores.name);
      }
      for (const std::string text : {" ", "a ", "  \t ", ""}) {
        EXPECT_EQ(encode(encoder, text), made.reference.encode(text)) << "'" << text << "'";
      }
    }
  }
}

TEST(UnigramWordsTest, UserDefinedAndUnusedPiecesScoreAsInTheLibrary) {
  const TempFolder folder;
  for (const Scores& scores : kScores) {
    for (const float sign : {1.0F, -1.0F}) {  // user-defined pieces gain from positive scores
      std::mt19937 random(4);
      Model model{.pieces = pieces_with(random, scores)};
      for (Piece& piece : model.pieces) {
        if (random() % 8 == 0) piece.score *= sign;
        if (piece.text == kBlank) continue;
        if (random() % 10 == 0) piece.type = kUserDefined;
        if (random() % 10 == 0) piece.type = kUnused;
      }
      const Made made = load(folder, model);
      TextEncoder encoder(*made.tokenizer);
      for (const size_t num_words : {size_t{3}, size_t{300}, size_t{60'000}}) {
        const std::string text = made_text(random, num_words);
        expect_same(encode(encoder, text), made.reference.encode(text), scores.name);
      }
    }
  }
}

TEST(UnigramWordsTest, UnknownCharactersBecomeBytesOrOneToken) {
  const TempFolder folder;
  for (const bool byte_fallback : {false, true}) {
    Model model{.pieces = {{kBlank, -2}, {kBlank + "a", -3}, {"a", -1}, {"aa", -2}},
                .byte_fallback = byte_fallback};
    for (int byte = 0; byte < 256 && byte_fallback; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      model.pieces.push_back({name, 0, kByte});
    }
    const Made made = load(folder, model);
    TextEncoder encoder(*made.tokenizer);
    const std::string text = std::string("\xc3\xa9") + "a\xe4\xbd\xa0\xc3\xa9 " + '\0' + " <0x41>" +
                             '\0' + "\xc3\xa9 a\xf0\x9f\x98\x80";
    for (int i = 0; i < 2; ++i)
      expect_same(encode(encoder, text), made.reference.encode(text), text);
    EXPECT_EQ(encode(encoder, "a\xc3\xa9\xc3\xa9").size(), byte_fallback ? 5U : 2U);
  }
}

TEST(UnigramWordsTest, UnknownCharactersCompeteAsInTheLibrary) {
  const TempFolder folder;
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> noise(-1e-3F, 1e-3F);
    // b is no piece: "a" and an unknown character score nearly what "ab" does.
    const Made made = load(
        folder,
        {.pieces = {
             {kBlank, -2.3F}, {"a", 10 + noise(random)}, {"ab", -5}, {"aab", 5 + noise(random)}}});
    TextEncoder encoder(*made.tokenizer);
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += random() % 2 == 0 ? " ab" : " aab";
    expect_same(encode(encoder, text), made.reference.encode(text), std::to_string(seed));
  }
}

TEST(UnigramWordsTest, BlanksAreKeptOrRemovedAsInTheLibrary) {
  const TempFolder folder;
  std::mt19937 random(5);
  for (int options = 0; options < 4; ++options) {
    Model model{.pieces = pieces_with(random, kScores[1]),
                .add_dummy_prefix = (options & 1) != 0,
                .remove_extra_whitespaces = (options & 2) != 0};
    model.pieces.push_back({kBlank + kBlank, -1.5});
    model.pieces.push_back({kBlank + kBlank + kBlank + "ab", -2.5});
    const Made made = load(folder, model);
    TextEncoder encoder(*made.tokenizer);
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      for (auto size = random() % 12; size > 0; --size) {
        text +=
            std::vector<std::string>{" ", " ", "   ", kBlank, "a", "b", "ab", "\t"}[random() % 8];
      }
      ASSERT_EQ(encode(encoder, text), made.reference.encode(text))
          << options << " '" << text << "'";
    }
    // Runs longer than the part normalised at once.
    for (const size_t size : {16'383, 16'384, 16'385, 100'000}) {
      for (const std::string& text :
           {std::string(size, ' '), std::string(size, ' ') + "ab", "ab" + std::string(size, ' '),
            std::string(size, 'a'), std::string(size, 'a') + " b", " b" + std::string(size, 'a')}) {
        expect_same(encode(encoder, text), made.reference.encode(text), std::to_string(size));
      }
    }
  }
}

TEST(UnigramWordsTest, LineEndsPartWordsOnlyWhereNoPieceReachesOverThem) {
  const TempFolder folder;
  const std::vector<std::vector<std::string>> kinds = {
      {}, {"\n"}, {"\n", "\n\n", kBlank + "\n", "\n" + kBlank + "a"}, {"a\n"}, {"\n", "b\na"}};
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    std::mt19937 random(7);
    Model model{.pieces = pieces_with(random, kScores[1])};
    for (const std::string& text : kinds[kind]) model.pieces.push_back({text, -1.5});
    const Made made = load(folder, model);
    TextEncoder encoder(*made.tokenizer);
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      for (auto size = random() % 12; size > 0; --size) {
        text += std::vector<std::string>{" ", "\n", "\n", "a", "b", "ab", "\xc3\xa9"}[random() % 7];
      }
      ASSERT_EQ(encode(encoder, text), made.reference.encode(text)) << kind << " '" << text << "'";
    }
  }
}

TEST(UnigramWordsTest, ManyEncodersMayShareATokenizer) {
  const TempFolder folder;
  std::mt19937 random(6);
  const Made made = load(folder, {.pieces = pieces_with(random, kScores[2])});
  TextEncoder first(*made.tokenizer);
  TextEncoder second(*made.tokenizer);
  for (int i = 0; i < 100; ++i) {
    const std::string text = made_text(random, 20);
    const std::vector<int32_t> expected = made.reference.encode(text);
    ASSERT_EQ(encode(first, text), expected);
    ASSERT_EQ(encode(second, text), expected);
  }
}

}  // namespace
}  // namespace pdl
