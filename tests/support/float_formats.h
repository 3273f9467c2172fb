// The values of floating-point formats, independent of the types with which kernels compute.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pdl/kernels/cuda_cross_entropy.h"

namespace pdl::cuda_cases {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Format {
  PdlCudaDtype dtype;
  const char* name;
  int bytes;
  int exponent_bits;
  int fraction_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};

constexpr Format kFloat32 = {kPdlCudaFloat32, "float32", 4, 8, 23};
constexpr Format kBFloat16 = {kPdlCudaBFloat16, "bfloat16", 2, 8, 7};
constexpr Format kFloat16 = {kPdlCudaFloat16, "float16", 2, 5, 10};
constexpr Format kFormats[] = {kFloat32, kBFloat16, kFloat16};

inline double decode(const Format& format, uint32_t bits) {
  const uint32_t fraction = bits & ((1u << format.fraction_bits) - 1);
  const int exponent =
      static_cast<int>(bits >> format.fraction_bits) & ((1 << format.exponent_bits) - 1);
  const bool negative = (bits >> (format.exponent_bits + format.fraction_bits)) & 1;
  double magnitude = 0;
  if (exponent == (1 << format.exponent_bits) - 1) {
    magnitude = fraction ? kNan : kInfinity;
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, 1 - format.bias() - format.fraction_bits);
  } else {
    magnitude = std::ldexp(fraction + (1u << format.fraction_bits),
                           exponent - format.bias() - format.fraction_bits);
  }
  return negative ? -magnitude : magnitude;
}

// Returns the nearest value of the format, ties to even.
inline uint32_t encode(const Format& format, double x) {
  const uint32_t infinity = ((1u << format.exponent_bits) - 1) << format.fraction_bits;
  const uint32_t sign = std::signbit(x) ? 1u << (format.exponent_bits + format.fraction_bits) : 0;
  if (std::isnan(x)) return infinity + 1;
  const double magnitude = std::fabs(x);
  const int lowest = 1 - format.bias();
  const int exponent = magnitude == 0 ? lowest : std::max(std::ilogb(magnitude), lowest);
  if (std::isinf(x) || exponent > format.bias()) return sign | infinity;
  const double units = std::nearbyint(std::ldexp(magnitude, format.fraction_bits - exponent));
  // The leading bit of a normal number, and a carry, add 1 to the exponent.
  const auto biased = static_cast<uint32_t>(exponent - lowest) << format.fraction_bits;
  return sign | (biased + static_cast<uint32_t>(units));
}

// Returns half the distance of neighbouring values around x.
inline double rounding_error(const Format& format, double x) {
  const int exponent = x == 0 ? 1 - format.bias() : std::max(std::ilogb(x), 1 - format.bias());
  return std::ldexp(0.5, exponent - format.fraction_bits);
}

}  // namespace pdl::cuda_cases
