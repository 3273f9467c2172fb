#include "attention_cpu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <type_traits>

#include "cpu_tensors.h"
#include "pdl/kernels/cpu_kernels.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

// Heads of a batch, [B, T, H, D].
template <class Value>
class Heads {
 public:
  explicit Heads(const at::Tensor& tensor)
      : values_(static_cast<Value*>(tensor.data_ptr())),
        batch_stride_(tensor.stride(0)),
        row_stride_(tensor.stride(1)),
        head_stride_(tensor.stride(2)) {}

  Value* values(int64_t batch, int64_t head) const {
    return values_ + batch * batch_stride_ + head * head_stride_;
  }
  int64_t row_stride() const { return row_stride_; }
  Rows<Value> rows(int64_t batch, int64_t head) const { return {values(batch, head), row_stride_}; }

 private:
  Value* values_;
  int64_t batch_stride_;
  int64_t row_stride_;
  int64_t head_stride_;
};

at::Tensor with_contiguous_rows(const at::Tensor& x) {
  return x.stride(-1) == 1 ? x : x.contiguous();
}

template <class Value>
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

  AttentionHead<Value> head(int64_t batch, int64_t head) const {
    AttentionHead<Value> result = head_;
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
  Heads<Value> q_, k_, v_;
  at::Tensor first_keys_;
  at::Tensor kept_;
  int64_t num_heads_;
  AttentionHead<Value> head_;
  int64_t group_ = 1;
};

template <class Value>
const AttentionKernels<Value>& kernels_of() {
  if constexpr (std::is_same_v<Value, float>) {
    return cpu_kernels().float_attention;
  } else {
    return *cpu_kernels().bfloat16_attention;
  }
}

// Calls visit(batch, head, workspace) for each head, on all threads, with `size` floats each.
template <class Visit>
void for_each_head(const at::Tensor& q, int64_t size, const Visit& visit) {
  const int64_t heads = q.size(2);
  at::parallel_for(0, q.size(0) * heads, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    const at::Tensor workspace = at::empty({size}, at::kFloat);
    for (int64_t i = begin; i < end; ++i)
      visit(i / heads, i % heads, workspace.mutable_data_ptr<float>());
  });
}

template <class Value>
auto add_rows_of() {
  if constexpr (std::is_same_v<Value, float>) {
    return cpu_kernels().add_float_rows;
  } else {
    return cpu_kernels().add_bfloat16_rows;
  }
}

void assign(float& to, float value) { to = value; }
void assign(Bfloat16& to, float value) { to.bits = c10::BFloat16(value).x; }

// Writes the sums over the heads of q that one head of k serves, in their order.
template <class Value>
void sum_groups(const at::Tensor& gradient, const at::Tensor& to) {
  const int64_t length = gradient.size(1);
  const int64_t dims = gradient.size(3);
  const int64_t group = gradient.size(2) / to.size(2);
  const Heads<Value> from(gradient);
  const Heads<Value> sums(to);
  const auto add_rows = add_rows_of<Value>();
  at::parallel_for(0, gradient.size(0) * length, /*grain_size=*/32,
                   [&](int64_t begin, int64_t end) {
                     std::vector<float> sum(static_cast<size_t>(dims));
                     for (int64_t i = begin; i < end; ++i) {
                       const int64_t batch = i / length;
                       const int64_t row = i % length;
                       for (int64_t head = 0; head < to.size(2); ++head) {
                         std::ranges::fill(sum, 0.f);
                         add_rows(from.values(batch, head * group) + row * from.row_stride(),
                                  gradient.stride(2), group, dims, sum.data());
                         Value* target = sums.values(batch, head) + row * sums.row_stride();
                         for (size_t d = 0; d < sum.size(); ++d) assign(target[d], sum[d]);
                       }
                     }
                   });
}

template <class Value>
void forward_heads(const std::vector<at::Tensor>& inputs, const SeenKeys& seen,
                   const AttentionOptions& options, const CpuAttentionOutput& output) {
  const at::Tensor& q = inputs[0];
  const HeadReader<Value> reader(inputs, seen, output.kept, options);
  const Heads<float> values(output.values);
  auto* log_sums = output.log_sums.mutable_data_ptr<float>();
  const AttentionKernels<Value>& kernels = kernels_of<Value>();
  const int64_t workspace_size = kernels.workspace(q.size(1), q.size(3));
  for_each_head(q, workspace_size, [&](int64_t batch, int64_t head, float* workspace) {
    kernels.forward(reader.head(batch, head), values.rows(batch, head),
                    log_sums + (batch * q.size(2) + head) * q.size(1), workspace);
  });
}

template <class Value>
void backward_heads(const std::vector<at::Tensor>& inputs, const CpuAttentionOutput& output,
                    const at::Tensor& gradient, const SeenKeys& seen,
                    const AttentionOptions& options, const Attention::Gradients& to) {
  const at::Tensor& q = inputs[0];
  const at::Tensor out_gradient = with_contiguous_rows(gradient);
  const bool is_grouped = to.k.size(2) != q.size(2);
  const at::Tensor each_k = is_grouped ? at::empty(q.sizes(), q.options()) : to.k;
  const at::Tensor each_v = is_grouped ? at::empty(q.sizes(), q.options()) : to.v;
  const HeadReader<Value> reader(inputs, seen, output.kept, options);
  const Heads<float> values(output.values);
  const Heads<Value> gradients(out_gradient);
  const Heads<Value> to_q(to.q);
  const Heads<Value> to_k(each_k);
  const Heads<Value> to_v(each_v);
  const auto* log_sums = output.log_sums.const_data_ptr<float>();
  const AttentionKernels<Value>& kernels = kernels_of<Value>();
  const int64_t workspace_size = kernels.workspace(q.size(1), q.size(3));
  for_each_head(q, workspace_size, [&](int64_t batch, int64_t head, float* workspace) {
    kernels.backward(reader.head(batch, head), values.rows(batch, head),
                     gradients.rows(batch, head), log_sums + (batch * q.size(2) + head) * q.size(1),
                     {to_q.rows(batch, head), to_k.rows(batch, head), to_v.rows(batch, head)},
                     workspace);
  });
  if (!is_grouped) return;
  sum_groups<Value>(each_k, to.k);
  sum_groups<Value>(each_v, to.v);
}

}  // namespace

bool has_bfloat16_attention() { return cpu_kernels().bfloat16_attention != nullptr; }

CpuAttentionOutput cpu_attention_forward(const std::vector<at::Tensor>& inputs,
                                         const SeenKeys& seen, const AttentionOptions& options) {
  const at::Tensor& q = inputs[0];
  const int64_t length = q.size(1);
  const at::TensorOptions floats = q.options().dtype(at::kFloat);
  CpuAttentionOutput output{
      at::empty(q.sizes(), floats), at::empty({q.size(0), q.size(2), length}, floats), {}};
  if (options.dropout > 0) {
    const double keep = 1 - options.dropout;
    output.kept = at::empty({q.size(0), q.size(2), length, length}, floats);
    output.kept.bernoulli_(keep).div_(keep);
  }
  const auto forward = is_cpu_float(q) ? forward_heads<float> : forward_heads<Bfloat16>;
  forward(inputs, seen, options, output);
  return output;
}

void cpu_attention_backward(const std::vector<at::Tensor>& inputs, const CpuAttentionOutput& output,
                            const at::Tensor& gradient, const SeenKeys& seen,
                            const AttentionOptions& options, const Attention::Gradients& to) {
  const auto backward = is_cpu_float(inputs[0]) ? backward_heads<float> : backward_heads<Bfloat16>;
  backward(inputs, output, gradient, seen, options, to);
}

}  // namespace pdl
