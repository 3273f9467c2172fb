#include "decoded_tokens.h"

#include <unordered_set>

namespace pdl::tokenizer_json {

// Special tokens are left out by what they decode to: one whose normal form is another is not, and
// any token is that is written like a special one.
DecodedTokens::DecodedTokens(const std::vector<std::string>& pieces, const Vocabulary& vocabulary,
                             const std::vector<AddedToken>& added)
    : pieces_(&pieces), is_left_out_(pieces.size()) {
  std::unordered_set<std::string_view> special;
  for (const AddedToken& token : added) {
    if (token.special) special.insert(token.content);
    if (token.pattern != token.content) normalized_.emplace(token.id, token.pattern);
  }
  const bool has_gaps = vocabulary.num_tokens < vocabulary.pieces.size();
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const bool is_gap = has_gaps && pieces[i].empty() && vocabulary.find("") != id;
    is_left_out_[i] = is_gap || special.contains(token(id));
  }
}

std::optional<std::string_view> DecodedTokens::find(int32_t id) const {
  if (is_left_out_[static_cast<size_t>(id)]) return std::nullopt;
  return token(id);
}

std::string_view DecodedTokens::token(int32_t id) const {
  const auto found = normalized_.find(id);
  return found == normalized_.end() ? (*pieces_)[static_cast<size_t>(id)] : found->second;
}

}  // namespace pdl::tokenizer_json
