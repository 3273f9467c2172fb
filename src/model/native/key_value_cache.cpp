#include "key_value_cache.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace pdl {
namespace {

at::Tensor to_tensor(std::span<const int64_t> values, at::Device device) {
  return at::tensor(at::ArrayRef<int64_t>(values.data(), values.size()), at::kLong).to(device);
}

// A copy with room for `capacity` tokens. Zeros, since ATen's operators multiply what no query sees
// by 0, which makes NaN of what memory may hold.
at::Tensor with_capacity(const at::Tensor& cache, int64_t capacity) {
  const at::Tensor larger =
      at::zeros({cache.size(0), capacity, cache.size(2), cache.size(3)}, cache.options());
  larger.narrow(1, 0, cache.size(1)).copy_(cache);
  return larger;
}

}  // namespace

void KeyValueCache::start(int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  keys_[static_cast<size_t>(layer)] = k.detach().to(at::kFloat).contiguous();
  values_[static_cast<size_t>(layer)] = v.detach().to(at::kFloat).contiguous();
}

void KeyValueCache::reserve(int64_t layer) {
  at::Tensor& keys = keys_[static_cast<size_t>(layer)];
  const int64_t capacity = keys.size(1);
  if (std::ranges::max(lengths_) < capacity) return;
  constexpr int64_t kLeastGrowth = 64;  // tokens
  const int64_t larger = std::max(2 * capacity, capacity + kLeastGrowth);
  keys = with_capacity(keys, larger);
  at::Tensor& values = values_[static_cast<size_t>(layer)];
  values = with_capacity(values, larger);
}

at::Tensor KeyValueCache::attend(int64_t layer, const at::Tensor& q, const at::Tensor& k,
                                 const at::Tensor& v, int64_t window,
                                 const AttentionOptions& options) {
  reserve(layer);
  const at::Tensor& keys = keys_[static_cast<size_t>(layer)];
  const at::Tensor& values = values_[static_cast<size_t>(layer)];
  const at::Tensor places = at::arange(keys.size(0), at::dtype(at::kLong).device(keys.device()))
                                .mul_(keys.size(1))
                                .add_(to_tensor(lengths_, keys.device()));
  keys.view({-1, keys.size(2), keys.size(3)}).index_copy_(0, places, k);
  values.view({-1, keys.size(2), keys.size(3)}).index_copy_(0, places, v);
  std::vector<int64_t> lengths = lengths_;
  for (int64_t& length : lengths) ++length;
  return cached_attention(q, keys, values, lengths, window, options);
}

void KeyValueCache::advance() {
  for (int64_t& length : lengths_) ++length;
}

void KeyValueCache::select(std::span<const int64_t> sequences) {
  std::vector<int64_t> lengths;
  for (const int64_t sequence : sequences)
    lengths.push_back(lengths_.at(static_cast<size_t>(sequence)));
  lengths_ = lengths;
  const at::Tensor kept = to_tensor(sequences, keys_.front().device());
  for (std::vector<at::Tensor>* caches : {&keys_, &values_}) {
    for (at::Tensor& cache : *caches) cache = cache.index_select(0, kept);
  }
}

}  // namespace pdl
