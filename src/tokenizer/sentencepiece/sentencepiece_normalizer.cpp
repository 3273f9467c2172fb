#include "sentencepiece_normalizer.h"

#include <algorithm>

namespace pdl {
namespace {

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 128; }

void append_with_blanks(std::string_view text, std::string& normalized) {
  while (true) {
    const size_t sign = text.find(kBlankSign);
    normalized += text.substr(0, sign);
    if (sign == std::string_view::npos) return;
    normalized += ' ';
    text.remove_prefix(sign + kBlankSign.size());
  }
}

std::vector<std::pair<std::string, int32_t>> user_defined_pieces(const SentencePieceModel& model) {
  std::vector<std::pair<std::string, int32_t>> found;
  for (const auto& piece : model.pieces) {
    if (piece.type == SentencePieceModel::kUserDefined) found.emplace_back(piece.text, 0);
  }
  return found;
}

}  // namespace

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceModel& model)
    : add_dummy_prefix_(model.add_dummy_prefix),
      remove_extra_whitespaces_(model.remove_extra_whitespaces),
      map_(model.character_map),
      user_defined_(user_defined_pieces(model)) {
  std::array<bool, 256> begins_piece{};
  for (const auto& [text, id] : user_defined_pieces(model)) {
    begins_piece[static_cast<unsigned char>(text[0])] = true;
  }
  for (size_t byte = 1; byte < 128; ++byte) {
    char pair[] = {static_cast<char>(byte), 0};
    bool plain = !begins_piece[byte] && !map_.find(std::string_view(pair, 1));
    for (; plain && is_ascii(pair[1]); ++pair[1]) {
      plain = !map_.has_rule_from(std::string_view(pair, 2));
    }
    is_plain_[byte] = plain;
  }
}

void SentencePieceNormalizer::normalize(State& state, size_t num_bytes,
                                        std::string& normalized) const {
  if (state.begins && !state.rest.empty()) {
    if (add_dummy_prefix_) normalized += ' ';
    state.after_blank = remove_extra_whitespaces_;
    state.begins = false;
  }
  const size_t rest_after = state.rest.size() - std::min(num_bytes, state.rest.size());
  while (state.rest.size() > rest_after) {
    const size_t size =
        count_unchanged(state.rest, state.rest.size() - rest_after, state.after_blank);
    if (size == 0) {
      move_character(state, normalized);
      continue;
    }
    normalized += state.rest.substr(0, size);
    state.after_blank = remove_extra_whitespaces_ && state.rest[size - 1] == ' ';
    state.rest.remove_prefix(size);
  }
}

size_t SentencePieceNormalizer::count_unchanged(std::string_view text, size_t max_bytes,
                                                bool after_blank) const {
  size_t size = 0;
  for (; size < max_bytes && is_plain_[static_cast<unsigned char>(text[size])]; ++size) {
    if (text[size] != ' ') {
      after_blank = false;
    } else if (after_blank) {
      break;
    } else {
      after_blank = remove_extra_whitespaces_;
    }
  }
  // The map may treat a letter and a combining mark as one.
  if (size > 0 && size < text.size() && !is_ascii(text[size])) --size;
  return size;
}

void SentencePieceNormalizer::move_character(State& state, std::string& normalized) const {
  size_t size = 0;
  std::string_view replacement;
  user_defined_.find_prefixes(state.rest, [&](size_t num_bytes, int32_t) { size = num_bytes; });
  if (size > 0) {
    replacement = state.rest.substr(0, size);
  } else if (const auto rule = map_.find(state.rest)) {
    size = rule->num_bytes;
    replacement = rule->replacement;
  } else {
    size = std::min(utf8_character_size(state.rest[0]), state.rest.size());
    replacement = state.rest.substr(0, size);
  }
  while (state.after_blank && replacement.starts_with(' ')) replacement.remove_prefix(1);
  if (!replacement.empty()) {
    append_with_blanks(replacement, normalized);
    state.after_blank = remove_extra_whitespaces_ && replacement.ends_with(' ');
  }
  state.rest.remove_prefix(size);
}

}  // namespace pdl
