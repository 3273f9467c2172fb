// The refusal of a file by the readers of this folder.
#pragma once

#include <stdexcept>

namespace pdl {

// What is wrong with a file, as a phrase that follows its name.
struct FormatProblem : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace pdl
