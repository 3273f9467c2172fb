// Proofs about an expression that allow a document to be cut between an ASCII letter and a
// separator that stands before another letter. They look at the tree alone and may say no where yes
// is true.
#pragma once

#include <vector>

#include "pattern_syntax.h"

namespace pdl {

// Returns true if no attempt to match that begins before the place reads the separator after it: no
// prefix of a match holds a letter and then the separator, and a lookahead reads one character and
// never stands after a letter of its match. So matches before the place and after it are the same
// in the cut text.
bool never_crosses_cut(const std::vector<PatternSequence>& alternatives, char32_t separator);

// Returns true if, for each ASCII letter, an alternative matches that letter alone, wherever it
// stands.
bool covers_letters(const std::vector<PatternSequence>& alternatives);

}  // namespace pdl
