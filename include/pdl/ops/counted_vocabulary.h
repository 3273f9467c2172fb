// The tokens of a vocabulary by how often they occur, as evaluations need them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace pdl {

// The frequency bands of V tokens, their C groups of the same count, and tau·ln(count + 1) of these
// for K values of tau. Tensors are on one device.
struct CountedVocabulary {
  // For the counts [V] of tokens; `taus` may be empty.
  CountedVocabulary(const std::vector<int64_t>& counts, const std::vector<double>& taus,
                    at::Device device);

  // Whether K is not 0.
  bool has_biases() const { return biases.size(1) > 0; }

  std::vector<int32_t> tokens;     // [V], by increasing count, then id
  std::vector<int64_t> ends;       // [C]: where in `tokens` each group ends
  std::vector<int64_t> band_ends;  // [kMaxBands]: where in `tokens` each band ends
  at::Tensor bands;                // [V] uint8, the index into kFrequencyBands of each token
  at::Tensor place_of_token;       // [V] int64, in `tokens`
  at::Tensor group_of_token;       // [V] int64
  at::Tensor biases;               // [C, K] float64, tau·ln(count + 1)
};

}  // namespace pdl
