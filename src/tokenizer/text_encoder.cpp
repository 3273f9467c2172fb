#include "pdl/tokenizer/text_encoder.h"

#include <algorithm>

#include "word_table.h"

namespace pdl {

struct TextEncoder::State {
  std::unique_ptr<CachingEncoder>
      whole;  // nullptr: the tokenizer has pre-tokens, or no such encoder
  WordTable table;
  WordList list;
};

TextEncoder::TextEncoder(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer), state_(std::make_unique<State>()) {
  if (!tokenizer.has_words()) state_->whole = tokenizer.make_caching_encoder();
}

TextEncoder::~TextEncoder() = default;

void TextEncoder::encode(std::string_view text, bool begins, std::vector<int32_t>& ids) {
  if (state_->whole) return state_->whole->encode(text, begins, ids);
  const size_t before = ids.size();
  if (tokenizer_.has_words() && encode_pieces(text, begins, ids)) return;
  ids.resize(before);
  const std::vector<int32_t> all = tokenizer_.encode(text, begins);
  ids.insert(ids.end(), all.begin(), all.end());
}

// Returns false if a pre-token depends on the text around it.
bool TextEncoder::encode_pieces(std::string_view text, bool begins, std::vector<int32_t>& ids) {
  constexpr size_t kPieceBytes = size_t{1}
                                 << 16;  // for a list of pre-tokens that stays in the caches
  while (!text.empty()) {
    const size_t cut = tokenizer_.find_cut(text, std::min(kPieceBytes, text.size()));
    if (!encode_words(text.substr(0, cut), begins, ids)) return false;
    if (cut == std::string_view::npos) return true;
    text.remove_prefix(cut);
    begins = false;
  }
  return true;
}

bool TextEncoder::encode_words(std::string_view text, bool begins, std::vector<int32_t>& ids) {
  auto& [whole, table, list] = *state_;
  list.clear();
  tokenizer_.split(text, begins, list);
  for (const Word& word : list.words) {
    if (word.id != Word::kNoId) {
      ids.push_back(word.id);
      continue;
    }
    if (const auto known = table.find(word.bytes)) {
      ids.insert(ids.end(), known->begin(), known->end());
      continue;
    }
    const size_t begin = ids.size();
    if (!tokenizer_.encode_word(word.bytes, ids)) return false;
    const std::span<const int32_t> encoded = std::span(ids).subspan(begin);
    if (word.bytes.size() <= WordTable::kMaxWordBytes && !encoded.empty()) {
      table.insert(word.bytes, encoded);
    }
  }
  return true;
}

}  // namespace pdl
