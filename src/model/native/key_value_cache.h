// The keys and values of sequences that are continued token by token.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "pdl/ops/cached_attention.h"

namespace pdl {

// For each layer keys and values [B, C, KV, D] float32, of which a sequence's first length() are
// its tokens'. The layers of one forward append their tokens one after the other; then advance()
// makes them part of the sequences.
class KeyValueCache {
 public:
  explicit KeyValueCache(int64_t num_layers) : keys_(static_cast<size_t>(num_layers)) {
    values_.resize(keys_.size());
  }

  const std::vector<int64_t>& lengths() const { return lengths_; }

  // Begins sequences with k, v [B, T, KV, D] of a layer.
  void start(int64_t layer, const at::Tensor& k, const at::Tensor& v);
  void set_lengths(std::span<const int64_t> lengths) {
    lengths_.assign(lengths.begin(), lengths.end());
  }
  // Appends the next token of each, k, v [B, KV, D] of a layer, and returns the attention [B, H, D]
  // of its query q [B, H, D].
  at::Tensor attend(int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    int64_t window, const AttentionOptions& options);
  // Each sequence has a token more.
  void advance();

  // Keeps these sequences, in this order; one may be kept more than once.
  void select(std::span<const int64_t> sequences);

 private:
  void reserve(int64_t layer);

  std::vector<at::Tensor> keys_;
  std::vector<at::Tensor> values_;
  std::vector<int64_t> lengths_;
};

}  // namespace pdl
