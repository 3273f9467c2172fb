// Attention of one query a sequence over the keys and values of the tokens so far.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "pdl/ops/attention.h"

namespace pdl {

// Returns [B, H, D] of the dtype of q, without a gradient, as Attention::forward() gives it for the
// last position.
//
//   q     [B, H, D] float32
//   k, v  [B, C, KV, D] of its dtype, contiguous; each head of k serves H / KV heads of q
//   lengths  B numbers from 1 to C: the query is the last one of so many tokens, of which it sees
//            itself and those before it, in all at most `window` (0: all)
//
// Of the options it heeds scale and softcap. On the CPU a sequence's bits do not depend on the
// others, nor on C or the number of threads.
at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            std::span<const int64_t> lengths, int64_t window,
                            const AttentionOptions& options);

}  // namespace pdl
