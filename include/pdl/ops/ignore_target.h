// The mark of positions without a target.
#pragma once

#include <cstdint>

namespace pdl {

// The target of a position that predicts nothing: the value that PyTorch's losses ignore by
// default.
inline constexpr int64_t kIgnoreTarget = -100;

}  // namespace pdl
