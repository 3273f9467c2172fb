// A grid of tau, by which evaluations bias the logits.
#pragma once

#include <string>
#include <vector>

namespace pdl {

// Returns LOW, LOW + STEP, … up to HIGH of "LOW:HIGH:STEP", as decimals of at most 12 digits; none
// of "". Throws ConfigError, with `name` for where the text stands, for another text, a STEP that
// is not above 0, a HIGH below LOW, or more than 1,001 values.
std::vector<double> parse_bias_grid(const std::string& text, const std::string& name);

}  // namespace pdl
