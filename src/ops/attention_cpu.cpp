#include "attention_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Heads of a batch, [B, T, H, D].
class Heads {
 public:
  explicit Heads(const at::Tensor& tensor)
      : values_(static_cast<float*>(tensor.data_ptr())),
        batch_stride_(tensor.stride(0)),
        row_stride_(tensor.stride(1)),
        head_stride_(tensor.stride(2)) {}

  float* values(int64_t batch, int64_t head) const {
    return values_ + batch * batch_stride_ + head * head_stride_;
  }
  int64_t row_stride() const { return row_stride_; }
  MatrixRows rows(int64_t batch, int64_t head) const { return {values(batch, head), row_stride_}; }

 private:
  float* values_;
  int64_t batch_stride_;
  int64_t row_stride_;
  int64_t head_stride_;
};

at::Tensor with_contiguous_rows(const at::Tensor& x) {
  return x.stride(-1) == 1 ? x : x.contiguous();
}

class HeadReader {
 public:
  HeadReader(const std::vector<at::Tensor>& inputs, const SeenKeys& seen, const at::Tensor& kept,
             const AttentionOptions& options)
      : q_(inputs[0]),
        k_(inputs[1]),
        v_(inputs[2]),
        first_keys_(seen.first.contiguous()),
        kept_(kept),
        num_heads_(inputs[0].size(2)) {
    head_.length = inputs[0].size(1);
    head_.dims = inputs[0].size(3);
    head_.q_stride = q_.row_stride();
    head_.k_stride = k_.row_stride();
    head_.v_stride = v_.row_stride();
    head_.scale = static_cast<float>(options.scale);
    head_.softcap = static_cast<float>(options.softcap);
    group_ = inputs[0].size(2) / inputs[1].size(2);
  }

  AttentionHead head(int64_t batch, int64_t head) const {
    AttentionHead result = head_;
    result.q = q_.values(batch, head);
    result.k = k_.values(batch, head / group_);
    result.v = v_.values(batch, head / group_);
    const int64_t row = first_keys_.size(0) == 1 ? 0 : batch;
    result.first_key = first_keys_.const_data_ptr<int32_t>() + row * head_.length;
    if (kept_.defined()) {
      result.kept =
          kept_.const_data_ptr<float>() + (batch * num_heads_ + head) * head_.length * head_.length;
    }
    return result;
  }

 private:
  Heads q_, k_, v_;
  at::Tensor first_keys_;
  at::Tensor kept_;
  int64_t num_heads_;
  AttentionHead head_;
  int64_t group_ = 1;
};

const AttentionKernels& kernels_of(const AttentionOptions& options) {
  return options.precision == ProductPrecision::kBfloat16 ? cpu_kernels().bfloat16_attention
                                                          : cpu_kernels().attention;
}

// Calls visit(batch, head, workspace) for each head, on all threads.
template <class Visit>
void for_each_head(const at::Tensor& q, const AttentionKernels& kernels, const Visit& visit) {
  const int64_t heads = q.size(2);
  const int64_t size = kernels.workspace(q.size(1), q.size(3));
  at::parallel_for(0, q.size(0) * heads, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::Tensor workspace = at::empty({size}, at::kFloat);
    for (int64_t i = begin; i < end; ++i)
      visit(i / heads, i % heads, workspace.mutable_data_ptr<float>());
  });
}

// Writes the sums over the heads of q that one head of k serves, in their order.
void sum_groups(const at::Tensor& gradient, const at::Tensor& to) {
  const int64_t length = gradient.size(1);
  const int64_t heads = gradient.size(2);
  const int64_t dims = gradient.size(3);
  const int64_t group = heads / to.size(2);
  const Heads from(gradient);
  const Heads sums(to);
  at::parallel_for(0, gradient.size(0) * length, /*grain_size=*/32,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) {
                       const int64_t batch = i / length;
                       const int64_t row = i % length;
                       for (int64_t head = 0; head < heads; ++head) {
                         const float* values = from.values(batch, head) + row * from.row_stride();
                         float* sum = sums.values(batch, head / group) + row * sums.row_stride();
                         for (int64_t d = 0; d < dims; ++d)
                           sum[d] = head % group == 0 ? values[d] : sum[d] + values[d];
                       }
                     }
                   });
}

}  // namespace

CpuAttentionOutput cpu_attention_forward(const std::vector<at::Tensor>& inputs,
                                         const SeenKeys& seen, const AttentionOptions& options) {
  const at::Tensor& q = inputs[0];
  const int64_t length = q.size(1);
  CpuAttentionOutput output{at::empty(q.sizes(), q.options()),
                            at::empty({q.size(0), q.size(2), length}, q.options()),
                            {}};
  if (options.dropout > 0) {
    const double keep = 1 - options.dropout;
    output.kept = at::empty({q.size(0), q.size(2), length, length}, q.options());
    output.kept.bernoulli_(keep).div_(keep);
  }
  const HeadReader reader(inputs, seen, output.kept, options);
  const Heads values(output.values);
  auto* log_sums = output.log_sums.mutable_data_ptr<float>();
  const AttentionKernels& kernels = kernels_of(options);
  for_each_head(q, kernels, [&](int64_t batch, int64_t head, float* workspace) {
    kernels.forward(reader.head(batch, head), values.rows(batch, head),
                    log_sums + (batch * q.size(2) + head) * q.size(1), workspace);
  });
  return output;
}

void cpu_attention_backward(const std::vector<at::Tensor>& inputs, const CpuAttentionOutput& output,
                            const at::Tensor& gradient, const SeenKeys& seen,
                            const AttentionOptions& options, const Attention::Gradients& to) {
  const at::Tensor& q = inputs[0];
  const at::Tensor out_gradient = with_contiguous_rows(gradient);
  const bool is_grouped = to.k.size(2) != q.size(2);
  const at::Tensor each_k = is_grouped ? at::empty(q.sizes(), q.options()) : to.k;
  const at::Tensor each_v = is_grouped ? at::empty(q.sizes(), q.options()) : to.v;
  const HeadReader reader(inputs, seen, output.kept, options);
  const Heads values(output.values);
  const Heads gradients(out_gradient);
  const Heads to_q(to.q);
  const Heads to_k(each_k);
  const Heads to_v(each_v);
  const auto* log_sums = output.log_sums.const_data_ptr<float>();
  const AttentionKernels& kernels = kernels_of(options);
  for_each_head(q, kernels, [&](int64_t batch, int64_t head, float* workspace) {
    kernels.backward(reader.head(batch, head), values.rows(batch, head),
                     gradients.rows(batch, head), log_sums + (batch * q.size(2) + head) * q.size(1),
                     {to_q.rows(batch, head), to_k.rows(batch, head), to_v.rows(batch, head)},
                     workspace);
  });
  if (!is_grouped) return;
  sum_groups(each_k, to.k);
  sum_groups(each_v, to.v);
}

}  // namespace pdl
