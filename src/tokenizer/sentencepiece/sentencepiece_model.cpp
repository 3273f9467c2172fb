#include "sentencepiece_model.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "character_map.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "piece_trie.h"

namespace pdl {
namespace {

[[noreturn]] void fail() { throw ModelError("it is cut off or damaged"); }

// A field of a message in the wire format of Protocol Buffers.
struct Field {
  enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  int number = 0;
  int wire_type = kVarint;
  uint64_t integer = 0;      // of a varint or of fixed bytes
  std::string_view content;  // of a string or of a message

  // Returns the value of a field that must have this type, because the library would ignore
  // another.
  std::string_view bytes() const {
    if (wire_type != kBytes) fail();
    return content;
  }
  uint64_t varint() const {
    if (wire_type != kVarint) fail();
    return integer;
  }
  float number32() const {
    if (wire_type != kFixed32) fail();
    float value = 0;
    std::memcpy(&value, &integer, sizeof value);
    return value;
  }
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view message) : rest_(message) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const uint64_t tag = read_varint();
    field = {.number = static_cast<int>(tag >> 3),
             .wire_type = static_cast<int>(tag & 7),
             .integer = 0,
             .content = {}};
    switch (field.wire_type) {
      case Field::kVarint:
        field.integer = read_varint();
        break;
      case Field::kFixed64:
        field.integer = read_fixed(8);
        break;
      case Field::kBytes:
        field.content = take(read_varint());
        break;
      case Field::kFixed32:
        field.integer = read_fixed(4);
        break;
      default:
        fail();
    }
    return true;
  }

 private:
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  uint64_t read_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    fail();
  }

  uint64_t read_fixed(size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, take(size).data(), size);
    return value;
  }

  std::string_view rest_;
};

SentencePieceModel::Piece parse_piece(std::string_view message) {
  SentencePieceModel::Piece piece;
  FieldReader reader(message);
  for (Field field; reader.next(field);) {
    if (field.number == 1) piece.text = field.bytes();
    if (field.number == 2) piece.score = field.number32();
    if (field.number == 3) piece.type = static_cast<int>(field.varint());
  }
  return piece;
}

void parse_trainer_spec(std::string_view message, SentencePieceModel& model) {
  FieldReader reader(message);
  for (Field field; reader.next(field);) {
    if (field.number == 3) model.model_type = static_cast<int>(field.varint());
    if (field.number == 24) model.treat_whitespace_as_suffix = field.varint() != 0;
    if (field.number == 35) model.byte_fallback = field.varint() != 0;
  }
}

void parse_normalizer_spec(std::string_view message, SentencePieceModel& model) {
  std::string name = "user_defined";
  FieldReader reader(message);
  for (Field field; reader.next(field);) {
    if (field.number == 1) name = field.bytes();
    if (field.number == 2) model.character_map = field.bytes();
    if (field.number == 3) model.add_dummy_prefix = field.varint() != 0;
    if (field.number == 4) model.remove_extra_whitespaces = field.varint() != 0;
    if (field.number == 5) model.escape_whitespaces = field.varint() != 0;
  }
  if (!model.character_map.empty()) model.normalization = name;
}

void parse_denormalizer_spec(std::string_view message, SentencePieceModel& model) {
  FieldReader reader(message);
  for (Field field; reader.next(field);) {
    if (field.number == 2) model.denormalization_map = field.bytes();
  }
}

bool is_text(const SentencePieceModel::Piece& piece) {
  return piece.type == SentencePieceModel::kNormal ||
         piece.type == SentencePieceModel::kUserDefined ||
         piece.type == SentencePieceModel::kUnused;
}

// Returns whether a space follows another character.
bool reaches_over_words(std::string_view piece) {
  while (piece.starts_with(kBlankSign)) piece.remove_prefix(kBlankSign.size());
  return piece.find(kBlankSign) != std::string_view::npos ||
         piece.find(' ') != std::string_view::npos;
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view serialized) {
  SentencePieceModel model;
  FieldReader reader(serialized);
  for (Field field; reader.next(field);) {
    if (field.number == 1) model.pieces.push_back(parse_piece(field.bytes()));
    if (field.number == 2) parse_trainer_spec(field.bytes(), model);
    if (field.number == 3) parse_normalizer_spec(field.bytes(), model);
    if (field.number == 5) parse_denormalizer_spec(field.bytes(), model);
  }
  return model;
}

void check_sentencepiece_model(const SentencePieceModel& model) {
  if (model.model_type < SentencePieceModel::kUnigram ||
      model.model_type > SentencePieceModel::kChar) {
    throw ModelError("its model_type " + std::to_string(model.model_type) + " is not known");
  }
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    const std::string which =
        "piece " + std::to_string(id) + " '" + printable(piece.text, 40) + "' ";
    if (piece.text.empty()) throw ModelError(which + "is empty");
    const bool is_unigram = model.model_type == SentencePieceModel::kUnigram;
    if (std::isnan(piece.score) || (is_unigram && std::isinf(piece.score))) {
      throw ModelError(which + "has a score that is no number");
    }
    if (is_unigram && is_text(piece) && piece.text.find('\0') != std::string::npos) {
      throw ModelError(which + "holds a zero byte");
    }
    if (piece.type < SentencePieceModel::kNormal || piece.type > SentencePieceModel::kByte) {
      throw ModelError(which + "has the unknown type " + std::to_string(piece.type));
    }
  }
  constexpr size_t kMaxNested = 64;  // the library's limit for pieces that begin alike
  const auto user_defined = user_defined_pieces(model);
  const PieceTrie trie(user_defined);
  for (const auto& [text, id] : user_defined) {
    size_t num_nested = 0;
    trie.find_prefixes(text, [&](size_t, int32_t) { ++num_nested; });
    if (num_nested > kMaxNested) {
      throw ModelError("piece " + std::to_string(id) + " begins with more than " +
                       std::to_string(kMaxNested) + " other user-defined pieces");
    }
  }
  for (const std::string& map : {model.character_map, model.denormalization_map}) {
    CharacterMap(map).check();
  }
}

std::optional<std::array<int32_t, 256>> find_byte_ids(const SentencePieceModel& model) {
  if (!model.byte_fallback) return std::nullopt;
  std::unordered_map<std::string_view, int32_t> bytes;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == SentencePieceModel::kByte) {
      bytes.emplace(model.pieces[id].text, static_cast<int32_t>(id));
    }
  }
  std::array<int32_t, 256> ids{};
  for (size_t byte = 0; byte < ids.size(); ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const std::string name = {'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'};
    ids[byte] = bytes.at(name);  // exists, or the library refuses the model
  }
  return ids;
}

std::vector<std::pair<std::string, int32_t>> user_defined_pieces(const SentencePieceModel& model) {
  std::vector<std::pair<std::string, int32_t>> found;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == SentencePieceModel::kUserDefined) {
      found.emplace_back(model.pieces[id].text, static_cast<int32_t>(id));
    }
  }
  return found;
}

bool tokens_stay_in_words(const SentencePieceModel& model) {
  if (!model.escape_whitespaces || model.treat_whitespace_as_suffix) return false;
  // Adjacent unknown characters become one token; a known space separates them.
  bool knows_blank = false;
  for (const auto& piece : model.pieces) {
    if (is_text(piece) && reaches_over_words(piece.text)) return false;
    if (piece.type == SentencePieceModel::kNormal && piece.text == kBlankSign) knows_blank = true;
  }
  return knows_blank;
}

}  // namespace pdl
