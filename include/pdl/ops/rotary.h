// Rotary positions (Su et al., 2021).
#pragma once

#include <ATen/core/Tensor.h>

#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// The angles of positions, as cosines and sines that broadcast over heads.
struct RotaryAngles {
  at::Tensor cos;  // [B or 1, T, 1, dims / 2] float32, contiguous
  at::Tensor sin;
  bool interleaved = false;
};

// Returns the frequencies [dims / 2] float32, computed as transformers does: in float32, so that
// large positions turn by the same angle.
at::Tensor rotary_frequencies(const RotarySpec& spec, at::Device device);

// Returns the angles of `positions` [B or 1, T] int64 with frequencies [dims / 2].
RotaryAngles rotary_angles(const at::Tensor& positions, const at::Tensor& frequencies,
                           bool interleaved);

// Turns the first `dims` of the last dimension, which is contiguous, of x [B, T, H, D] float32 or
// bfloat16 in place, computed in float32: each pair (a, b) becomes (a·cos - b·sin, a·sin + b·cos).
// rotate_back() turns by the negative angle, which is the backward of rotate().
void rotate(const at::Tensor& x, const RotaryAngles& angles);
void rotate_back(const at::Tensor& x, const RotaryAngles& angles);

}  // namespace pdl
