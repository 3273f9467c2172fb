#include <algorithm>
#include <array>

#include "../merge_table.h"
#include "byte_level.h"
#include "model.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"

namespace pdl::tokenizer_json {
namespace {

// Ids are indices of a list of pieces: those that no token has take memory, too.
constexpr int64_t kMaxUnusedIds = int64_t{1} << 20;
// A word as long as this would not fit in 32-bit places.
constexpr size_t kMaxWordBytes = UINT32_MAX;

struct BpeOptions {
  bool fuse_unknown = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
  std::optional<std::string> unknown_token;
};

// What a character begins as.
struct Symbols {
  enum class Kind { kKnown, kBytes, kUnknown };

  Kind kind = Kind::kUnknown;
  std::vector<int32_t> ids;  // of the character or of its bytes
};

class BpeModel : public Model {
 public:
  BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options, Alphabet alphabet);

  void encode(std::string_view word, std::vector<int32_t>& ids) const override;
  bool allows_cut_before(char32_t separator) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::optional<int32_t> unknown_id() const override { return unknown_id_; }

  // The written forms that merges make.
  void set_merged(std::vector<int32_t> merged) { merged_ = std::move(merged); }

 private:
  Symbols symbols_of(std::string_view character) const;
  void append_symbols(std::string_view word, std::vector<int32_t>& ids) const;
  void append_unknown(std::string_view character, size_t& num_pending,
                      std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  BpeOptions options_;
  Alphabet alphabet_;
  std::optional<int32_t> unknown_id_;
  // Text, as words have it, to ids; the strings lie in the keys of `vocabulary_` or in
  // `raw_pieces_`.
  std::unordered_map<std::string_view, int32_t> id_of_text_;
  std::vector<std::string> raw_pieces_;
  std::array<Symbols, 256> symbols_of_byte_;  // of an ASCII character, or of any byte
  std::vector<int32_t> merged_;
};

BpeModel::BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options, Alphabet alphabet)
    : vocabulary_(std::move(vocabulary)),
      merges_(std::move(merges)),
      options_(std::move(options)),
      alphabet_(alphabet) {
  if (options_.unknown_token) unknown_id_ = vocabulary_.find(*options_.unknown_token);
  raw_pieces_.reserve(vocabulary_.ids.size());
  id_of_text_.reserve(vocabulary_.ids.size());
  for (const auto& [written, id] : vocabulary_.ids) {
    if (alphabet_ == Alphabet::kCharacters) {
      id_of_text_.emplace(written, id);
    } else if (std::optional<std::string> raw = bytes_of(written)) {
      raw_pieces_.push_back(std::move(*raw));
      id_of_text_.emplace(raw_pieces_.back(), id);
    }
  }
  const size_t num_symbols = alphabet_ == Alphabet::kBytes ? 256 : 128;
  for (size_t byte = 0; byte < num_symbols; ++byte) {
    const char character = static_cast<char>(byte);
    symbols_of_byte_[byte] = symbols_of({&character, 1});
  }
}

// Byte fallback takes the bytes of the character as the vocabulary would write it.
Symbols BpeModel::symbols_of(std::string_view character) const {
  const auto found = id_of_text_.find(character);
  if (found != id_of_text_.end()) return {Symbols::Kind::kKnown, {found->second}};
  if (!options_.byte_fallback) return {};
  const std::string written = alphabet_ == Alphabet::kBytes
                                  ? byte_character(static_cast<unsigned char>(character.front()))
                                  : std::string(character);
  Symbols symbols{Symbols::Kind::kBytes, {}};
  for (const char byte : written) {
    const std::optional<int32_t> id =
        vocabulary_.find(byte_token(static_cast<unsigned char>(byte)));
    if (!id) return {};
    symbols.ids.push_back(*id);
  }
  return symbols;
}

// Without an unknown token the character is left out, as the tokenizers package does.
void BpeModel::append_unknown(std::string_view character, size_t& num_pending,
                              std::vector<int32_t>& ids) const {
  if (!options_.unknown_token) return;
  if (!unknown_id_) {
    throw ModelError("the tokenizer's vocabulary has no '" + printable(character) +
                     "' and no unknown token \"" + printable(*options_.unknown_token) +
                     "\"; use a tokenizer that covers the text");
  }
  if (num_pending > 0 && !options_.fuse_unknown) ids.push_back(*unknown_id_);
  num_pending = 1;
}

// An unknown token waits for the next known character: the bytes of others come before it.
void BpeModel::append_symbols(std::string_view word, std::vector<int32_t>& ids) const {
  size_t num_pending = 0;
  for (size_t at = 0; at < word.size();) {
    const auto byte = static_cast<unsigned char>(word[at]);
    const bool is_one_byte = alphabet_ == Alphabet::kBytes || byte < 0x80;
    const size_t length = is_one_byte ? 1 : character_bytes(word[at]);
    const std::string_view character = word.substr(at, length);
    const Symbols longer = is_one_byte ? Symbols{} : symbols_of(character);
    const Symbols& symbols = is_one_byte ? symbols_of_byte_[byte] : longer;
    at += length;
    if (symbols.kind == Symbols::Kind::kUnknown) {
      append_unknown(character, num_pending, ids);
      continue;
    }
    if (symbols.kind == Symbols::Kind::kKnown && num_pending > 0) {
      ids.push_back(*unknown_id_);
      num_pending = 0;
    }
    ids.insert(ids.end(), symbols.ids.begin(), symbols.ids.end());
  }
  if (num_pending > 0) ids.push_back(*unknown_id_);
}

void BpeModel::encode(std::string_view word, std::vector<int32_t>& ids) const {
  if (options_.ignore_merges) {
    const auto found = id_of_text_.find(word);
    if (found != id_of_text_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  if (word.size() >= kMaxWordBytes) {
    throw DataError("a document has a word of " + std::to_string(word.size()) +
                    " bytes, which is too long; split the document");
  }
  const size_t begin = ids.size();
  append_symbols(word, ids);
  merges_.apply(ids, begin);
}

// Nothing merges over the place if no merge makes a text with the separator after another
// character. The separator has a symbol of its own, so an unknown token does not wait beyond the
// place either.
bool BpeModel::allows_cut_before(char32_t separator) const {
  std::string written;
  append_utf8(separator, written);
  if (alphabet_ == Alphabet::kBytes || options_.ignore_merges) return false;
  if (symbols_of(written).kind != Symbols::Kind::kKnown) return false;
  return std::none_of(merged_.begin(), merged_.end(), [&](int32_t id) {
    const std::string& piece = vocabulary_.pieces[static_cast<size_t>(id)];
    size_t run = 0;
    while (piece.compare(run, written.size(), written) == 0) run += written.size();
    return piece.find(written, run) != std::string::npos;
  });
}

Vocabulary read_vocabulary(ObjectReader& reader) {
  const JsonValue& vocab = reader.required("vocab", JsonValue::Kind::kObject);
  Vocabulary vocabulary;
  vocabulary.ids.reserve(vocab.keys().size());
  std::vector<bool> is_taken;
  const int64_t max_id = std::ssize(vocab.keys()) - 1 + kMaxUnusedIds;
  for (size_t i = 0; i < vocab.keys().size(); ++i) {
    const std::string& written = vocab.keys()[i];
    const JsonValue& id = vocab.items()[i];
    const auto refuse = [&](const std::string& why) {
      reader.fail_at("vocab", "token \"" + printable(written, 40) + "\" " + why);
    };
    if (!id.is(JsonValue::Kind::kInteger) || id.integer() < 0 || id.integer() > max_id) {
      refuse("has no id from 0 to " + std::to_string(max_id));
    }
    const auto index = static_cast<size_t>(id.integer());
    if (index >= is_taken.size()) {
      is_taken.resize(index + 1);
      vocabulary.pieces.resize(index + 1);
    }
    if (is_taken[index] || !vocabulary.ids.emplace(written, static_cast<int32_t>(index)).second) {
      refuse("is there twice, or its id " + std::to_string(index) + " is");
    }
    is_taken[index] = true;
    vocabulary.pieces[index] = written;
  }
  vocabulary.num_tokens = vocabulary.ids.size();
  return vocabulary;
}

// Reads a merge in one of its two spellings, "a b" and ["a", "b"]. Returns false for a line with a
// file's version.
bool read_pair(const JsonValue& value, std::array<std::string_view, 2>& pair) {
  if (value.is(JsonValue::Kind::kArray)) {
    if (value.items().size() != 2 || !value.items()[0].is_string() ||
        !value.items()[1].is_string()) {
      throw ModelError("is no pair of strings");
    }
    pair = {value.items()[0].text(), value.items()[1].text()};
    return true;
  }
  if (!value.is_string()) throw ModelError("is no pair of strings");
  const std::string_view text = value.text();
  if (text.starts_with("#version")) return false;
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
    throw ModelError("is not two strings with a blank between them");
  }
  pair = {text.substr(0, space), text.substr(space + 1)};
  return true;
}

MergeTable read_merges(ObjectReader& reader, const Vocabulary& vocabulary,
                       std::vector<int32_t>& merged) {
  const JsonValue& list = reader.required("merges", JsonValue::Kind::kArray);
  MergeTable merges(list.items().size());
  int32_t rank = 0;
  for (size_t i = 0; i < list.items().size(); ++i) {
    if (list.items()[i].kind() != list.items()[0].kind()) {
      reader.fail_at("merges", "mixes strings and pairs at index " + std::to_string(i));
    }
    std::array<std::string_view, 2> pair;
    try {
      if (!read_pair(list.items()[i], pair)) continue;
    } catch (const ModelError& problem) {
      reader.fail_at("merges", "at index " + std::to_string(i) + " " + problem.what());
    }
    const std::optional<int32_t> left = vocabulary.find(std::string(pair[0]));
    const std::optional<int32_t> right = vocabulary.find(std::string(pair[1]));
    const std::optional<int32_t> both =
        vocabulary.find(std::string(pair[0]) + std::string(pair[1]));
    if (!left || !right || !both) {
      reader.fail_at("merges", "at index " + std::to_string(i) + ": \"" + printable(pair[0], 40) +
                                   "\", \"" + printable(pair[1], 40) +
                                   "\" or both together are not in the vocabulary");
    }
    merges.add(*left, *right, {rank++, *both});
    merged.push_back(*both);
  }
  return merges;
}

void refuse_if_set(ObjectReader& reader, std::string_view key) {
  if (!reader.string_or_empty(key).empty()) reader.fail_at(key, "is not supported");
}

}  // namespace

std::unique_ptr<Model> read_bpe_model(ObjectReader& reader, Alphabet alphabet) {
  const JsonValue* dropout = reader.find("dropout");
  if (dropout != nullptr && (!dropout->is_number() || score_of(*dropout) != 0)) {
    reader.fail_at("dropout", "is not supported");
  }
  refuse_if_set(reader, "continuing_subword_prefix");
  refuse_if_set(reader, "end_of_word_suffix");
  BpeOptions options;
  options.fuse_unknown = reader.boolean_or("fuse_unk", false);
  options.byte_fallback = reader.boolean_or("byte_fallback", false);
  options.ignore_merges = reader.boolean_or("ignore_merges", false);
  if (reader.find("unk_token") != nullptr) options.unknown_token = reader.string("unk_token");
  Vocabulary vocabulary = read_vocabulary(reader);
  std::vector<int32_t> merged;
  MergeTable merges = read_merges(reader, vocabulary, merged);
  reader.finish();
  auto model = std::make_unique<BpeModel>(std::move(vocabulary), std::move(merges),
                                          std::move(options), alphabet);
  model->set_merged(std::move(merged));
  return model;
}

}  // namespace pdl::tokenizer_json
