#include "pdl/ops/linear_cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu_targets.h"
#include "cpu_tensors.h"
#include "pdl/base/error.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/ops/ignore_target.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

const LinearCrossEntropyKernels* kernels_of(ProductPrecision precision) {
  if (precision == ProductPrecision::kBfloat16) return cpu_kernels().bfloat16_linear_cross_entropy;
  if (precision == ProductPrecision::kBfloat16x3) return cpu_kernels().split_linear_cross_entropy;
  return nullptr;
}

int64_t parts_of(int64_t size, int64_t part) { return (size + part - 1) / part; }

// Calls visit(i) for all i < count, on all threads.
template <class Visit>
void for_each(int64_t count, const Visit& visit) {
  at::parallel_for(0, count, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) visit(i);
  });
}

// Memory for `count` things of `size` floats each.
class Buffers {
 public:
  Buffers(int64_t count, int64_t size)
      : size_(size), values_(at::empty({count * size}, at::kFloat)) {}
  float* operator[](int64_t i) const { return static_cast<float*>(values_.data_ptr()) + i * size_; }

 private:
  int64_t size_;
  at::Tensor values_;
};

void require(bool fits, const char* what) {
  if (!fits) throw Error(ExitCode::kInternal, std::string(what) + " have other shapes or dtypes");
}

// Kernels write to it.
void require_like(const at::Tensor& to, const at::Tensor& of, const char* what) {
  require(is_cpu_float(to) && to.sizes() == of.sizes(), what);
  require_contiguous_rows(to, what);
}

// What both passes over a head need; `of_tokens` [V] is of this dtype.
const LinearCrossEntropyKernels& required_kernels(const at::Tensor& hidden, const at::Tensor& head,
                                                  const at::Tensor& targets,
                                                  const at::Tensor& of_tokens, at::ScalarType dtype,
                                                  ProductPrecision precision) {
  const LinearCrossEntropyKernels* kernels = kernels_of(precision);
  if (!hidden.is_cpu() || kernels == nullptr)
    throw Error(ExitCode::kInternal, "no kernels for a head without logits");
  require(hidden.dim() == 2 && head.dim() == 2 && hidden.size(1) == head.size(1) &&
              is_cpu_float(hidden) && is_cpu_factor(head),
          "hidden values and head");
  require(targets.is_cpu() && targets.dim() == 1 && targets.size(0) == hidden.size(0) &&
              targets.scalar_type() == at::kLong,
          "the targets of hidden values");
  require(of_tokens.is_cpu() && of_tokens.dim() == 1 && of_tokens.size(0) == head.size(0) &&
              of_tokens.scalar_type() == dtype,
          "weights or bands of tokens");
  return *kernels;
}

class LinearCrossEntropy {
 public:
  LinearCrossEntropy(const at::Tensor& hidden, const at::Tensor& head, const at::Tensor& targets,
                     const LinearCrossEntropyKernels& kernels)
      : kernels_(kernels),
        sizes_(kernels.sizes(hidden.size(1))),
        head_(head),
        targets_(checked_targets(targets, head.size(0))),
        num_blocks_(parts_of(hidden.size(0), kHeadBlockRows)),
        num_pieces_(parts_of(head.size(0), sizes_.piece_tokens)),
        packed_(num_blocks_, sizes_.packed_block) {
    rows_ = {packed_[0], hidden.size(0), hidden.size(1), targets_.data()};
    for_each(num_blocks_, [&](int64_t block) {
      const int64_t rows = rows_of(block);
      kernels.pack_hidden(view_of(hidden.narrow(0, block * kHeadBlockRows, rows)), rows, rows_.dims,
                          packed_[block]);
    });
  }

  const std::vector<int64_t>& targets() const { return targets_; }

  // The cross-entropy of each row; prepares differentiate().
  std::vector<double> cross_entropy(const float* weights, double weight_sum) {
    const auto num_rows = static_cast<size_t>(rows_.count);
    std::vector<float> target_logits(num_rows);
    const std::vector<ExponentialSum> sums = sum_over_pieces<ExponentialSum>(
        [&](int64_t piece, ExponentialSum* of_rows, float* workspace) {
          kernels_.sum_exponentials(rows_, piece_at(piece), of_rows, target_logits.data(),
                                    workspace);
        });
    std::vector<double> ce(num_rows);
    gradients_.resize(num_rows);
    for (size_t i = 0; i < num_rows; ++i) {
      if (targets_[i] == kIgnoreTarget) continue;
      const ExponentialSum& sum = sums[i];
      ce[i] = std::log(sum.total) + (static_cast<double>(sum.reference) - target_logits[i]);
      const double scale = static_cast<double>(weights[targets_[i]]) / weight_sum;
      gradients_[i] = {sum.reference, static_cast<float>(scale / sum.total),
                       static_cast<float>(scale)};
    }
    return ce;
  }

  std::vector<RowEvaluation> evaluate(const uint8_t* bands) const {
    const auto num_rows = static_cast<size_t>(rows_.count);
    std::vector<float> target_logits(num_rows);
    const std::vector<RowSums> sums =
        sum_over_pieces<RowSums>([&](int64_t piece, RowSums* of_rows, float* workspace) {
          kernels_.add_to_row_sums(rows_, piece_at(piece), bands, of_rows, target_logits.data(),
                                   workspace);
        });
    std::vector<RowEvaluation> evaluations(num_rows);
    for (size_t i = 0; i < num_rows; ++i) {
      if (targets_[i] != kIgnoreTarget)
        evaluations[i] = kernels_.evaluation_of(sums[i], target_logits[i]);
    }
    return evaluations;
  }

  // Some pieces at a time: what each gives to the hidden rows is kept until all of them are done,
  // then added in their order.
  void differentiate(const at::Tensor& hidden_gradient,
                     const HeadGradientSum& head_gradient) const {
    const int64_t gradient_size = num_blocks_ * sizes_.packed_gradient;
    const int64_t at_once = pieces_at_once(gradient_size);
    const Buffers gradients(at_once, gradient_size);
    const Buffers tokens(at_once, sizes_.packed_tokens);
    for (int64_t first = 0; first < num_pieces_; first += at_once) {
      const int64_t count = std::min(at_once, num_pieces_ - first);
      for_each(count, [&](int64_t i) {
        const Buffers workspace(1, sizes_.workspace);
        const HeadPiece piece = piece_at(first + i);
        kernels_.differentiate(rows_, piece, gradients_.data(), gradients[i], tokens[i],
                               rows_from(head_gradient.sum, piece.first), head_gradient.adds,
                               workspace[0]);
      });
      const int64_t part_rows = rows_at_once();
      for_each(parts_of(rows_.count, part_rows), [&](int64_t part) {
        const int64_t row = part * part_rows;
        const int64_t block = row / kHeadBlockRows;
        for (int64_t i = 0; i < count; ++i) {
          kernels_.add_hidden_gradient(gradients[i] + block * sizes_.packed_gradient, tokens[i],
                                       piece_at(first + i).count, row % kHeadBlockRows,
                                       std::min(part_rows, rows_.count - row), rows_.dims,
                                       rows_from(hidden_gradient, row), first + i > 0);
        }
      });
    }
  }

 private:
  int64_t rows_of(int64_t block) const {
    return std::min(kHeadBlockRows, rows_.count - block * kHeadBlockRows);
  }

  // Of a block, so many that every thread has some. Each reads all packed tokens.
  int64_t rows_at_once() const {
    constexpr int64_t kLeastRows = 32;
    int64_t rows = kHeadBlockRows;
    while (rows > kLeastRows && parts_of(rows_.count, rows) < at::get_num_threads()) rows /= 2;
    return rows;
  }

  // Several for each thread, so that none waits long for another, if they take little memory.
  int64_t pieces_at_once(int64_t gradient_size) const {
    constexpr int64_t kGradientFloats = int64_t{1} << 23;  // 32 MB
    const int64_t threads = at::get_num_threads();
    const int64_t fitting = std::clamp(kGradientFloats / gradient_size, threads, 4 * threads);
    return std::min(num_pieces_, fitting);
  }

  HeadPiece piece_at(int64_t index) const {
    const int64_t first = index * sizes_.piece_tokens;
    const int64_t count = std::min(sizes_.piece_tokens, head_.size(0) - first);
    return {view_of(head_.narrow(0, first, count)), first, count};
  }

  static MatrixRows rows_from(const at::Tensor& matrix, int64_t row) {
    if (!matrix.defined()) return {};
    return {static_cast<float*>(matrix.data_ptr()) + row * matrix.stride(0), matrix.stride(0)};
  }

  // Returns the sums of each row, to which add_piece(index, sums, workspace) adds a piece: over
  // groups of pieces, whose number depends on the shape alone, then over the groups in their order.
  template <class Sum, class AddPiece>
  std::vector<Sum> sum_over_pieces(const AddPiece& add_piece) const {
    constexpr int64_t kLeastPieces = 4;  // of a group
    constexpr int64_t kMostGroups = 64;  // for their memory
    const int64_t group_pieces = std::max(kLeastPieces, parts_of(num_pieces_, kMostGroups));
    const auto num_rows = static_cast<size_t>(rows_.count);
    std::vector<std::vector<Sum>> groups(static_cast<size_t>(parts_of(num_pieces_, group_pieces)));
    for_each(std::ssize(groups), [&](int64_t group) {
      std::vector<Sum>& sums = groups[static_cast<size_t>(group)];
      sums.resize(num_rows);
      const Buffers workspace(1, sizes_.workspace);
      const int64_t end = std::min((group + 1) * group_pieces, num_pieces_);
      for (int64_t i = group * group_pieces; i < end; ++i) add_piece(i, sums.data(), workspace[0]);
    });
    std::vector<Sum> all = std::move(groups[0]);
    for (size_t group = 1; group < groups.size(); ++group) {
      for (size_t i = 0; i < num_rows; ++i) add(groups[group][i], all[i]);
    }
    return all;
  }

  // e^(from - to), 1 also where both are infinite.
  static double factor_between(float from, float to) {
    return from == to ? 1 : std::exp(static_cast<double>(from) - to);
  }

  static void add(const ExponentialSum& part, ExponentialSum& sum) {
    const float reference = std::max(sum.reference, part.reference);
    sum = {reference, sum.total * factor_between(sum.reference, reference) +
                          part.total * factor_between(part.reference, reference)};
  }

  static void add(const RowSums& part, RowSums& sum) {
    const float largest = std::max(sum.largest, part.largest);
    const double kept = factor_between(sum.largest, largest);
    const double added = factor_between(part.largest, largest);
    if (part.largest > sum.largest) sum.argmax = part.argmax;
    sum.largest = largest;
    for (size_t band = 0; band < kMaxBands; ++band)
      sum.band_sums[band] = sum.band_sums[band] * kept + part.band_sums[band] * added;
  }

  const LinearCrossEntropyKernels& kernels_;
  LinearCrossEntropySizes sizes_;
  at::Tensor head_;
  std::vector<int64_t> targets_;
  int64_t num_blocks_;
  int64_t num_pieces_;
  Buffers packed_;
  PackedHidden rows_;
  std::vector<RowGradient> gradients_;
};

}  // namespace

bool has_linear_cross_entropy(const at::Device& device, ProductPrecision precision) {
  return device.is_cpu() && kernels_of(precision) != nullptr;
}

CrossEntropySums linear_cross_entropy_gradient(const at::Tensor& hidden, const at::Tensor& head,
                                               const at::Tensor& targets, const at::Tensor& weights,
                                               const at::Tensor& weight_sum,
                                               ProductPrecision precision,
                                               const at::Tensor& hidden_gradient,
                                               const HeadGradientSum& head_gradient) {
  const LinearCrossEntropyKernels& kernels =
      required_kernels(hidden, head, targets, weights, at::kFloat, precision);
  require_like(hidden_gradient, hidden, "the gradient of hidden values");
  if (head_gradient.sum.defined())
    require_like(head_gradient.sum, head, "the gradient of the head");
  const at::Tensor contiguous_weights = weights.contiguous();
  const auto* w = contiguous_weights.const_data_ptr<float>();
  if (hidden.size(0) == 0) {
    if (head_gradient.sum.defined() && !head_gradient.adds) head_gradient.sum.zero_();
    return sum_cross_entropy({}, {}, w);
  }
  LinearCrossEntropy loss(hidden, head, targets, kernels);
  const std::vector<double> ce = loss.cross_entropy(w, weight_sum.item<double>());
  loss.differentiate(hidden_gradient, head_gradient);
  const double products = head_gradient.sum.defined() ? 4 : 3;
  add_multiplications(products * static_cast<double>(hidden.numel()) *
                      static_cast<double>(head.size(0)));
  return sum_cross_entropy(ce, loss.targets(), w);
}

PositionEvaluations evaluate_linear_head(const at::Tensor& hidden, const at::Tensor& head,
                                         const at::Tensor& targets, const at::Tensor& bands,
                                         ProductPrecision precision) {
  const LinearCrossEntropyKernels& kernels =
      required_kernels(hidden, head, targets, bands, at::kByte, precision);
  if (hidden.size(0) == 0) return collect_evaluations({}, {});
  const LinearCrossEntropy head_of_rows(hidden, head, targets, kernels);
  const at::Tensor contiguous_bands = bands.contiguous();
  const std::vector<RowEvaluation> evaluations =
      head_of_rows.evaluate(contiguous_bands.const_data_ptr<uint8_t>());
  add_multiplications(static_cast<double>(hidden.numel()) * static_cast<double>(head.size(0)));
  return collect_evaluations(evaluations, head_of_rows.targets());
}

}  // namespace pdl
