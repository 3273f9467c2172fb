#include "sentencepiece_words.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>

#include "../merge_table.h"

namespace pdl {
namespace {

using Piece = SentencePieceModel::Piece;

constexpr int32_t kNoPiece = MergeTable::kNoSymbol;  // a character that is not a piece

// The library's own character maps: no key of theirs has a space after another character.
bool keeps_words_apart(std::string_view normalization) {
  constexpr std::array<std::string_view, 5> kKnown = {"", "nmt_nfkc", "nfkc", "nmt_nfkc_cf",
                                                      "nfkc_cf"};
  return std::find(kKnown.begin(), kKnown.end(), normalization) != kKnown.end();
}

bool has_runs_of_blanks(const SentencePieceModel& model) {
  const std::string two = std::string(kBlankSign) + std::string(kBlankSign);
  return std::any_of(model.pieces.begin(), model.pieces.end(),
                     [&](const Piece& piece) { return piece.text.find(two) != std::string::npos; });
}

bool has_words(const SentencePieceModel& model) {
  return model.model_type == SentencePieceModel::kBpe && keeps_words_apart(model.normalization) &&
         !(model.remove_extra_whitespaces && has_runs_of_blanks(model)) &&
         tokens_stay_in_words(model);
}

bool is_letter(char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }

// The library removes the sign of a space too.
std::string_view without_trailing_blanks(std::string_view text) {
  while (true) {
    if (text.ends_with(' ')) {
      text.remove_suffix(1);
    } else if (text.ends_with(kBlankSign)) {
      text.remove_suffix(kBlankSign.size());
    } else {
      return text;
    }
  }
}

// The usual case, with an encoder of this program: pairs are merged in the order of the scores, and
// there is neither a character map nor a piece of a special type.
class PlainBpeWords : public SentencePieceWords {
 public:
  explicit PlainBpeWords(const SentencePieceModel& model) : SentencePieceWords(model), merges_(0) {
    for (size_t id = 0; id < model.pieces.size(); ++id) {
      const Piece& piece = model.pieces[id];
      if (piece.type == SentencePieceModel::kNormal) {
        ids_.emplace(piece.text, static_cast<int32_t>(id));
      } else if (piece.type == SentencePieceModel::kUnknown) {
        unknown_id_ = static_cast<int32_t>(id);
      }
    }
    byte_ids_ = find_byte_ids(model);
    add_merges(model);
    ascii_ids_.fill(kNoPiece);
    for (int byte = 0; byte < 128; ++byte) {
      ascii_ids_[static_cast<size_t>(byte)] = lookup(std::string(1, static_cast<char>(byte)));
    }
    ascii_ids_[' '] = lookup(std::string(kBlankSign));
    add_cuts(model);
  }

  // A character that is not a piece may still be part of one, and then merging by ids would be
  // wrong.
  static bool fits(const SentencePieceModel& model) {
    if (!model.normalization.empty()) return false;
    std::unordered_map<std::string_view, int> texts;
    for (const Piece& piece : model.pieces) {
      if (piece.type == SentencePieceModel::kUserDefined ||
          piece.type == SentencePieceModel::kUnused) {
        return false;
      }
      if (piece.type == SentencePieceModel::kNormal) texts.emplace(piece.text, 0);
    }
    for (const auto& [text, unused] : texts) {
      for (size_t i = 0; i < text.size(); i += utf8_character_size(text[i])) {
        if (!texts.contains(text.substr(i, utf8_character_size(text[i])))) return false;
      }
    }
    return true;
  }

  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    std::vector<int32_t> symbols;
    std::vector<std::string_view> unknown;  // the characters of the symbols kNoPiece, in order
    symbols.reserve(word.size());
    for (size_t i = 0; i < word.size();) {
      const size_t size = utf8_character_size(word[i]);
      const std::string_view character = word.substr(i, size);
      i += size;
      const int32_t id = size == 1 ? ascii_ids_[static_cast<unsigned char>(character[0])]
                                   : lookup(std::string(character));
      if (id == kNoPiece) unknown.push_back(character);
      symbols.push_back(id);
    }
    merges_.apply(symbols, 0);
    append(symbols, unknown, ids);
    return true;
  }

  size_t find_cut(std::string_view text, size_t from) const override {
    for (size_t i = std::max<size_t>(from, 1); i + 1 < text.size(); ++i) {
      if (text[i] == ' ' && is_letter(text[i - 1]) && is_letter(text[i + 1])) return i;
    }
    return std::string_view::npos;
  }

 private:
  int32_t lookup(const std::string& text) const {
    const auto found = ids_.find(text);
    return found == ids_.end() ? kNoPiece : found->second;
  }

  // Nothing is ever merged across two characters that are adjacent in no piece. Without byte
  // fallback, two adjacent unknown characters become one token.
  void add_cuts(const SentencePieceModel& model) {
    std::bitset<128 * 128> neighbours;
    const auto index_of_pair = [](int before, int after) {
      return static_cast<size_t>(128 * before + after);
    };
    for (const Piece& piece : model.pieces) {
      if (piece.type != SentencePieceModel::kNormal) continue;
      int before = 0x80;
      for (size_t i = 0; i < piece.text.size(); i += utf8_character_size(piece.text[i])) {
        const bool is_blank = std::string_view(piece.text).substr(i).starts_with(kBlankSign);
        const int after = is_blank ? ' ' : static_cast<unsigned char>(piece.text[i]);
        if (before < 0x80 && after < 0x80) neighbours.set(index_of_pair(before, after));
        before = after;
      }
    }
    for (int before = 0; before < 128; ++before) {
      for (int after = 0; after < 128; ++after) {
        const bool merge_as_unknown = !byte_ids_ &&
                                      ascii_ids_[static_cast<size_t>(before)] == kNoPiece &&
                                      ascii_ids_[static_cast<size_t>(after)] == kNoPiece;
        if (after == ' ' || merge_as_unknown || neighbours[index_of_pair(before, after)]) continue;
        cut_between(static_cast<char>(before), static_cast<char>(after));
      }
    }
  }

  // Any two pieces whose joined text is a piece may be merged; the highest score goes first.
  void add_merges(const SentencePieceModel& model) {
    std::map<float, int32_t, std::greater<>> ranks;
    for (const auto& [text, id] : ids_) ranks[model.pieces[static_cast<size_t>(id)].score] = 0;
    int32_t next_rank = 0;
    for (auto& [score, rank] : ranks) rank = next_rank++;
    struct Pair {
      int32_t left;
      int32_t right;
      Merge merge;
    };
    std::vector<Pair> pairs;
    for (const auto& [text, id] : ids_) {
      const int32_t rank = ranks[model.pieces[static_cast<size_t>(id)].score];
      for (size_t i = utf8_character_size(text[0]); i < text.size();
           i += utf8_character_size(text[i])) {
        const int32_t left = lookup(text.substr(0, i));
        const int32_t right = lookup(text.substr(i));
        if (left != kNoPiece && right != kNoPiece) pairs.push_back({left, right, {rank, id}});
      }
    }
    merges_ = MergeTable(pairs.size());
    for (const Pair& pair : pairs) merges_.add(pair.left, pair.right, pair.merge);
  }

  void append(const std::vector<int32_t>& symbols, const std::vector<std::string_view>& unknown,
              std::vector<int32_t>& ids) const {
    auto next_unknown = unknown.begin();
    bool after_unknown = false;
    for (const int32_t symbol : symbols) {
      if (symbol != kNoPiece) {
        ids.push_back(symbol);
        after_unknown = false;
        continue;
      }
      if (byte_ids_) {
        for (const char byte : *next_unknown) {
          ids.push_back((*byte_ids_)[static_cast<unsigned char>(byte)]);
        }
      } else if (!after_unknown) {
        ids.push_back(unknown_id_);
      }
      after_unknown = true;
      ++next_unknown;
    }
  }

  std::unordered_map<std::string, int32_t> ids_;
  std::array<int32_t, 128> ascii_ids_;
  std::optional<std::array<int32_t, 256>> byte_ids_;
  int32_t unknown_id_ = 0;
  MergeTable merges_;
};

// All other models with pre-tokens: the library encodes each pre-token.
class LibraryWords : public SentencePieceWords {
 public:
  LibraryWords(const SentencePieceModel& model, const SentencePieceNormalizer& normalizer,
               const NormalizedEncoder& encoder)
      : SentencePieceWords(model),
        normalizer_(normalizer),
        encoder_(encoder),
        removes_extra_blanks_(model.remove_extra_whitespaces),
        needs_context_(!model.normalization.empty() &&
                       (model.remove_extra_whitespaces || has_runs_of_blanks(model))) {}

  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    std::string normalized;
    SentencePieceNormalizer::State state{.rest = word, .begins = false};
    normalizer_.normalize(state, word.size(), normalized);
    if (needs_context_ && !stands_alone(word, normalized)) return false;
    encoder_.encode(normalized, ids);
    return true;
  }

  size_t find_cut(std::string_view, size_t) const override { return std::string_view::npos; }

 private:
  // Spaces that come from other characters join those around the pre-token: a run of them becomes
  // one space, or a piece. Only the first pre-token of a text may begin without a space.
  bool stands_alone(std::string_view word, std::string_view normalized) const {
    if (normalized.empty() || normalized.ends_with(' ')) return false;
    if (!removes_extra_blanks_) return true;
    if (word.starts_with(' ') && normalized.starts_with(' ')) normalized.remove_prefix(1);
    return normalized.find(' ') == std::string_view::npos;
  }

  const SentencePieceNormalizer& normalizer_;
  const NormalizedEncoder& encoder_;
  bool removes_extra_blanks_;
  bool needs_context_;
};

}  // namespace

SentencePieceWords::SentencePieceWords(const SentencePieceModel& model)
    : add_dummy_prefix_(model.add_dummy_prefix),
      remove_extra_whitespaces_(model.remove_extra_whitespaces),
      has_runs_of_blanks_(has_runs_of_blanks(model)) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto before = static_cast<char>(byte);
    if (before != ' ') cuts_.set(index_of(before, ' '));
  }
}

bool SentencePieceWords::is_cut(std::string_view text, size_t at) const {
  if (!cuts_[index_of(text[at - 1], text[at])]) return false;
  // The sign of a space in the text itself may form a piece with the space after it.
  return !has_runs_of_blanks_ || text[at] != ' ' || !text.substr(0, at).ends_with(kBlankSign);
}

void SentencePieceWords::split(std::string_view text, bool begins, WordList& list) const {
  if (remove_extra_whitespaces_) text = without_trailing_blanks(text);
  size_t begin = 0;
  if (begins && remove_extra_whitespaces_)
    begin = std::min(text.find_first_not_of(' '), text.size());
  bool is_first = begins;
  while (begin < text.size()) {
    size_t end = begin + 1;
    if (text[begin] == ' ') {
      while (end < text.size() && text[end] == ' ') ++end;
      if (remove_extra_whitespaces_) begin = end - 1;
    }
    while (end < text.size() && !is_cut(text, end)) ++end;
    const std::string_view word = text.substr(begin, end - begin);
    if (is_first && add_dummy_prefix_) {
      list.words.push_back({list.storage.emplace_back(" ").append(word)});
    } else {
      list.words.push_back({word});
    }
    is_first = false;
    begin = end;
  }
}

std::unique_ptr<SentencePieceWords> make_plain_bpe_words(const SentencePieceModel& model) {
  if (!has_words(model) || !PlainBpeWords::fits(model)) return nullptr;
  return std::make_unique<PlainBpeWords>(model);
}

std::unique_ptr<SentencePieceWords> make_library_words(const SentencePieceModel& model,
                                                       const SentencePieceNormalizer& normalizer,
                                                       const NormalizedEncoder& encoder) {
  if (!has_words(model)) return nullptr;
  return std::make_unique<LibraryWords>(model, normalizer, encoder);
}

}  // namespace pdl
