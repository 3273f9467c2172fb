#include "sentencepiece_normalizer.h"

#include <algorithm>

namespace pdl {
namespace {

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 128; }

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

void append_with_blanks(std::string_view text, std::string& normalized) {
  while (true) {
    const size_t sign = text.find(kBlankSign);
    normalized += text.substr(0, sign);
    if (sign == std::string_view::npos) return;
    normalized += ' ';
    text.remove_prefix(sign + kBlankSign.size());
  }
}

}  // namespace

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceModel& model)
    : adds_first_blank_(model.add_dummy_prefix && !model.treat_whitespace_as_suffix),
      adds_last_blank_(model.add_dummy_prefix && model.treat_whitespace_as_suffix),
      escape_whitespaces_(model.escape_whitespaces),
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
    if (adds_first_blank_) normalized += ' ';
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
    state.is_blank = false;
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
  state.is_blank = state.is_blank && remove_extra_whitespaces_ && replacement == " ";
  while (state.after_blank && replacement.starts_with(' ')) replacement.remove_prefix(1);
  if (!replacement.empty()) {
    if (escape_whitespaces_) {
      append_with_blanks(replacement, normalized);
    } else {
      normalized += replacement;
    }
    state.after_blank = remove_extra_whitespaces_ && replacement.ends_with(' ');
  }
  state.rest.remove_prefix(size);
}

void SentencePieceNormalizer::finish(const State& state, std::string& normalized) const {
  if (remove_extra_whitespaces_) normalized.resize(normalized.find_last_not_of(' ') + 1);
  if (adds_last_blank_ && !state.is_blank) normalized += ' ';
}

size_t SentencePieceNormalizer::size_without_last_blanks(std::string_view text) const {
  std::string normalized;
  while (remove_extra_whitespaces_ && !text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && is_continuation(text[last])) --last;
    State state{.rest = text.substr(last), .begins = false};
    normalized.clear();
    normalize(state, text.size(), normalized);
    if (normalized.find_first_not_of(' ') != std::string::npos) break;
    text = text.substr(0, last);
  }
  return text.size();
}

}  // namespace pdl
