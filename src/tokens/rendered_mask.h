// Which tokens of a rendered chat are trained. Private to the module.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "pdl/corpus/document.h"

namespace pdl {

// The tokens of a text: where each ends, and whether it is a control token.
struct PlacedTokens {
  std::vector<size_t> ends;
  std::vector<bool> are_control;
};

// Returns for each token of the document's text whether it is trained. A token that reaches into a
// part of the assistant is trained as that part is, else as the rest that it lies in. After a part
// that takes_end the first control token is trained as the part is, if only white space lies
// between.
std::vector<bool> trained_tokens(const Document& document, std::string_view text,
                                 const PlacedTokens& tokens);

// Returns the control tokens that the template writes and that are no token of their own.
std::set<std::string> spelt_controls(const Document& document, const PlacedTokens& tokens);

}  // namespace pdl
