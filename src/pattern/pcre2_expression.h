// Writes a pattern of pattern_syntax.h for PCRE2.
#pragma once

#include <string>
#include <vector>

#include "pattern_syntax.h"

namespace pdl {

// Returns an expression to be compiled with PCRE2_UTF and PCRE2_UCP.
std::string pcre2_expression(const std::vector<PatternSequence>& alternatives);

}  // namespace pdl
