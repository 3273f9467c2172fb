// Conversions between float32 and bfloat16, for tests of kernels.
#pragma once

#include <bit>
#include <cstdint>

#include "pdl/kernels/cpu_kernels.h"

namespace pdl {

// Rounds to nearest, ties to even.
inline Bfloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

inline float to_float(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}

}  // namespace pdl
