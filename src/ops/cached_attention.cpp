#include "pdl/ops/cached_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <limits>

#include "cpu_tensors.h"
#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// The keys that the query of a sequence sees.
struct SeenRange {
  int64_t first;
  int64_t count;
};

SeenRange seen_range(int64_t length, int64_t window) {
  const int64_t first = window > 0 ? std::max<int64_t>(0, length - window) : 0;
  return {first, length - first};
}

at::Tensor attend_by_aten(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          std::span<const int64_t> lengths, int64_t window,
                          const AttentionOptions& options) {
  const int64_t group = q.size(1) / k.size(2);
  const at::Tensor queries = q.view({q.size(0), k.size(2), group, q.size(2)});
  at::Tensor scores = at::matmul(queries, k.permute({0, 2, 3, 1})).mul_(options.scale);
  if (options.softcap > 0) scores.div_(options.softcap).tanh_().mul_(options.softcap);
  const at::Tensor end =
      at::tensor(at::ArrayRef<int64_t>(lengths.data(), lengths.size()), at::kLong)
          .to(q.device())
          .view({-1, 1, 1, 1});
  const at::Tensor keys = at::arange(k.size(1), end.options());
  scores.masked_fill_(keys.ge(end), -std::numeric_limits<float>::infinity());
  if (window > 0)
    scores.masked_fill_(keys.lt(end.sub(window)), -std::numeric_limits<float>::infinity());
  return at::matmul(scores.softmax(-1), v.permute({0, 2, 1, 3})).view(q.sizes());
}

// Attention of the heads of q that one head of k serves.
struct HeadGroup {
  ConstMatrixRows q;
  MatrixView k;  // [D, C]
  MatrixView v;  // [C, D]
  int64_t size = 0;
  int64_t dims = 0;
};

void attend(const HeadGroup& heads, int64_t count, const AttentionOptions& options, float* scores,
            MatrixRows to) {
  const FewRowsKernels& kernels = cpu_kernels().few_rows;
  kernels.multiply(heads.q, heads.k, heads.size, count, heads.dims, {scores, count});
  for (int64_t head = 0; head < heads.size; ++head) {
    kernels.softmax(scores + head * count, count, static_cast<float>(options.scale),
                    static_cast<float>(options.softcap));
  }
  kernels.multiply({scores, count}, heads.v, heads.size, heads.dims, count, to);
}

}  // namespace

at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            std::span<const int64_t> lengths, int64_t window,
                            const AttentionOptions& options) {
  if (!is_cpu_float(q)) return attend_by_aten(q, k, v, lengths, window, options);
  require_contiguous_rows(q, "the queries of attention");
  const int64_t kv_heads = k.size(2);
  const int64_t group = q.size(1) / kv_heads;
  const int64_t dims = q.size(2);
  const int64_t most = *std::ranges::max_element(lengths);
  const at::Tensor out = at::empty_like(q, q.options(), at::MemoryFormat::Contiguous);
  at::parallel_for(0, q.size(0) * kv_heads, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::Tensor scores = at::empty({group * most}, q.options());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t sequence = i / kv_heads;
      const int64_t head = i % kv_heads;
      const auto [first, count] = seen_range(lengths[static_cast<size_t>(sequence)], window);
      const auto keys_from = [&, first = first](const at::Tensor& cache) {
        return cache.const_data_ptr<float>() + sequence * cache.stride(0) +
               first * cache.stride(1) + head * cache.stride(2);
      };
      const HeadGroup heads{
          {q.const_data_ptr<float>() + sequence * q.stride(0) + head * group * q.stride(1),
           q.stride(1)},
          {.values = keys_from(k), .row_stride = 1, .column_stride = k.stride(1)},
          {.values = keys_from(v), .row_stride = v.stride(1), .column_stride = 1},
          group,
          dims};
      float* to = out.mutable_data_ptr<float>() + (sequence * kv_heads + head) * group * dims;
      attend(heads, count, options, scores.mutable_data_ptr<float>(), {to, dims});
    }
  });
  return out;
}

}  // namespace pdl
