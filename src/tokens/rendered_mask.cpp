#include "rendered_mask.h"

#include <algorithm>

#include "pdl/base/unicode.h"

namespace pdl {
namespace {

size_t begin_of(const PlacedTokens& tokens, size_t index) {
  return index == 0 ? 0 : tokens.ends[index - 1];
}

// The first token that ends after `at`.
size_t token_after(const PlacedTokens& tokens, size_t at) {
  return static_cast<size_t>(std::upper_bound(tokens.ends.begin(), tokens.ends.end(), at) -
                             tokens.ends.begin());
}

// Trains the control token after a part that ends at `end`.
void train_end(std::string_view text, size_t end, bool trained, const PlacedTokens& tokens,
               std::vector<bool>& mask) {
  size_t index = token_after(tokens, end);
  for (; index < tokens.ends.size(); ++index) {
    // One that reaches over the end is no token after the part.
    const size_t begin = std::max(begin_of(tokens, index), end);
    if (tokens.are_control[index] && begin == begin_of(tokens, index)) {
      mask[index] = trained;
      return;
    }
    if (!is_white_space(text.substr(begin, tokens.ends[index] - begin))) return;
  }
}

}  // namespace

std::vector<bool> trained_tokens(const Document& document, std::string_view text,
                                 const PlacedTokens& tokens) {
  std::vector<bool> mask(tokens.ends.size(), false);
  std::vector<bool> is_response(tokens.ends.size(), false);
  size_t begin = 0;
  for (const DocumentPart& part : document.parts) {
    const size_t end = begin + part.text.size();
    if (begin == end) continue;  // the place of an empty content
    for (size_t i = token_after(tokens, begin); i < mask.size() && begin_of(tokens, i) < end; ++i) {
      if (is_response[i] && !part.is_response) continue;
      mask[i] = part.trained || (is_response[i] == part.is_response && mask[i]);
      is_response[i] = part.is_response;
    }
    begin = end;
  }
  begin = 0;
  for (const DocumentPart& part : document.parts) {
    begin += part.text.size();
    if (part.takes_end) train_end(text, begin, part.trained, tokens, mask);
  }
  return mask;
}

std::set<std::string> spelt_controls(const Document& document, const PlacedTokens& tokens) {
  std::set<std::string> spelt;
  size_t begin = 0;
  for (const DocumentPart& part : document.parts) {
    const size_t end = begin + part.text.size();
    const size_t index = part.is_control ? token_after(tokens, begin) : 0;
    if (part.is_control && (index == tokens.ends.size() || tokens.ends[index] < end)) {
      spelt.insert(part.text);
    }
    begin = end;
  }
  return spelt;
}

}  // namespace pdl
