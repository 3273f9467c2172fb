// JSON of files that the program did not write. Private to the module.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace pdl {

// What is wrong with a file, as a phrase that follows its name.
struct FormatProblem : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws FormatProblem, which calls the text `what`, unless it is one JSON object without a NUL
// byte, with distinct names in each object, nested at most `max_depth` deep.
nlohmann::json parse_json_object(std::string_view text, const std::string& what, int max_depth);

// The value of an integer from 0 to 2^63 - 1; -1 for anything else.
int64_t non_negative(const nlohmann::json& value);

// A list of such integers; throws FormatProblem, with `what` it is of, for anything else.
std::vector<int64_t> shape_of(const nlohmann::json& list, const std::string& what);

}  // namespace pdl
