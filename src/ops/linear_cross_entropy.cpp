#include "pdl/ops/linear_cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "biased_cross_entropy.h"
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

// What an evaluation of N rows with biases needs, where the order of a vocabulary is cut into parts
// that are summed by themselves: a matrix of sums with columns for the groups of one part after
// another. A group of which two parts have tokens has a column in both.
struct BiasedParts {
  // `part_ends` are places in the order.
  BiasedParts(const CountedVocabulary& vocabulary, const at::Tensor& targets,
              const std::vector<int64_t>& part_ends)
      : references(at::zeros({targets.size(0)}, at::kDouble)),
        target_logits(at::zeros({targets.size(0)}, at::kDouble)) {
    std::vector<int64_t> group_of_column;
    size_t group = 0;
    for (const int64_t end : part_ends) {
      first_groups.push_back(static_cast<int64_t>(group));
      first_columns.push_back(std::ssize(group_of_column));
      group_of_column.push_back(static_cast<int64_t>(group));
      while (vocabulary.ends[group] < end) group_of_column.push_back(static_cast<int64_t>(++group));
      if (vocabulary.ends[group] == end) ++group;
    }
    first_columns.push_back(std::ssize(group_of_column));
    values.emplace(vocabulary, targets, at::tensor(group_of_column, at::kLong));
  }

  std::vector<int64_t> first_groups;   // of each part
  std::vector<int64_t> first_columns;  // of each part, and where the last one ends
  at::Tensor references;               // [N] float64
  at::Tensor target_logits;            // [N] float64
  std::optional<BiasedCrossEntropy> values;
};

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
        num_parts_(std::min(num_pieces_, kMostParts)),
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
    const std::vector<ExponentialSum> sums = sum_of_parts(sums_of_parts<ExponentialSum>(
        [&](int64_t, int64_t piece, ExponentialSum* of_rows, float* workspace) {
          kernels_.sum_exponentials(rows_, piece_at(piece), of_rows, target_logits.data(),
                                    workspace);
        }));
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

  // Where each part of the vocabulary ends.
  std::vector<int64_t> part_ends() const {
    std::vector<int64_t> ends;
    for (int64_t part = 1; part <= num_parts_; ++part)
      ends.push_back(std::min(first_piece(part) * sizes_.piece_tokens, head_.size(0)));
    return ends;
  }

  // Here pieces and targets are places in the order of a vocabulary. `biased`, if there is one,
  // takes these rows as those from `first_row` on.
  std::vector<RowEvaluation> evaluate(const CountedVocabulary& vocabulary, int64_t first_row,
                                      BiasedParts* biased) const {
    const auto num_rows = static_cast<size_t>(rows_.count);
    const int64_t num_columns = biased == nullptr ? 0 : biased->first_columns.back();
    const at::Tensor by_group = at::zeros({rows_.count, num_columns}, at::kDouble);
    std::vector<float> target_logits(num_rows);
    const auto parts = sums_of_parts<RowSums>([&](int64_t part, int64_t piece, RowSums* of_rows,
                                                  float* workspace) {
      EvaluationSums sums{.rows = of_rows, .target_logits = target_logits.data()};
      if (biased != nullptr) {
        const auto i = static_cast<size_t>(part);
        sums.first_group = biased->first_groups[i];
        sums.groups = {by_group.mutable_data_ptr<double>() + biased->first_columns[i], num_columns};
      }
      add_in_order(vocabulary, piece, sums, workspace);
    });
    const std::vector<RowSums> sums = sum_of_parts(parts);
    std::vector<RowEvaluation> evaluations(num_rows);
    for (size_t i = 0; i < num_rows; ++i) {
      if (targets_[i] != kIgnoreTarget)
        evaluations[i] = kernels_.evaluation_of(sums[i], target_logits[i]);
    }
    if (biased != nullptr) {
      make_relative(by_group, parts, sums, *biased);
      add_biased(by_group, sums, target_logits, first_row, *biased);
    }
    return evaluations;
  }

  // Some rows at a time, because each part of the vocabulary has a gradient of theirs.
  void differentiate(const at::Tensor& hidden_gradient,
                     const HeadGradientSum& head_gradient) const {
    const int64_t at_once = rows_at_once();
    for (int64_t row = 0; row < rows_.count; row += at_once) {
      const int64_t count = std::min(at_once, rows_.count - row);
      differentiate_rows(row, hidden_gradient.narrow(0, row, count),
                         {head_gradient.sum, head_gradient.adds || row > 0});
    }
  }

 private:
  static constexpr int64_t kMostParts = 16;  // for their memory

  int64_t rows_of(int64_t block) const {
    return std::min(kHeadBlockRows, rows_.count - block * kHeadBlockRows);
  }

  // Whole blocks. The gradients of parts take 60 MB, or more for one block of a very wide model.
  int64_t rows_at_once() const {
    constexpr int64_t kValues = int64_t{1} << 20;
    return std::max<int64_t>(1, kValues / rows_.dims / kHeadBlockRows) * kHeadBlockRows;
  }

  // `first` is that of a block.
  void differentiate_rows(int64_t first, const at::Tensor& hidden_gradient,
                          const HeadGradientSum& head_gradient) const {
    const int64_t count = hidden_gradient.size(0);
    const PackedHidden rows{packed_[first / kHeadBlockRows], count, rows_.dims,
                            rows_.targets + first};
    const int64_t size = count * rows_.dims;
    const Buffers others(num_parts_ - 1, size);  // the gradients of parts but the first
    for_each(num_parts_, [&](int64_t part) {
      const Buffers workspace(1, sizes_.workspace);
      const MatrixRows sum =
          part == 0 ? rows_from(hidden_gradient, 0) : MatrixRows{others[part - 1], rows_.dims};
      for (int64_t i = first_piece(part); i < first_piece(part + 1); ++i) {
        const HeadPiece piece = piece_at(i);
        kernels_.differentiate(rows, piece, gradients_.data() + first, sum,
                               /*adds_hidden=*/i > first_piece(part),
                               rows_from(head_gradient.sum, piece.first), head_gradient.adds,
                               workspace[0]);
      }
    });
    if (num_parts_ == 1) return;
    const auto add_float_rows = cpu_kernels().add_float_rows;
    for_each(count, [&](int64_t i) {
      add_float_rows(others[0] + i * rows_.dims, size, num_parts_ - 1, rows_.dims,
                     rows_from(hidden_gradient, i).values);
    });
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

  // The pieces of each part of the vocabulary are summed by themselves, then the parts in their
  // order. Parts depend on the shape alone.
  int64_t first_piece(int64_t part) const { return part * num_pieces_ / num_parts_; }

  // Returns the sums of each row for each part, for add_piece(part, index, sums, workspace).
  template <class Sum, class AddPiece>
  std::vector<std::vector<Sum>> sums_of_parts(const AddPiece& add_piece) const {
    std::vector<std::vector<Sum>> parts(static_cast<size_t>(num_parts_));
    for_each(num_parts_, [&](int64_t part) {
      std::vector<Sum>& sums = parts[static_cast<size_t>(part)];
      sums.resize(static_cast<size_t>(rows_.count));
      const Buffers workspace(1, sizes_.workspace);
      for (int64_t i = first_piece(part); i < first_piece(part + 1); ++i)
        add_piece(part, i, sums.data(), workspace[0]);
    });
    return parts;
  }

  template <class Sum>
  static std::vector<Sum> sum_of_parts(const std::vector<std::vector<Sum>>& parts) {
    std::vector<Sum> all = parts[0];
    for (size_t part = 1; part < parts.size(); ++part) {
      for (size_t i = 0; i < all.size(); ++i) add(parts[part][i], all[i]);
    }
    return all;
  }

  // Adds a piece of the vocabulary's order, in which the rows of the head are copied.
  void add_in_order(const CountedVocabulary& vocabulary, int64_t index, const EvaluationSums& sums,
                    float* workspace) const {
    HeadPiece piece = piece_at(index);
    const at::Tensor tokens = at::from_blob(
        const_cast<int32_t*>(vocabulary.tokens.data() + piece.first), {piece.count}, at::kInt);
    const at::Tensor rows = head_.index_select(0, tokens);
    piece.tokens = view_of(rows);
    kernels_.add_to_row_sums(rows_, piece, groups_of(vocabulary), sums, workspace);
  }

  // Makes the references of all parts those of their sum.
  void make_relative(const at::Tensor& by_group, const std::vector<std::vector<RowSums>>& parts,
                     const std::vector<RowSums>& sums, const BiasedParts& biased) const {
    auto* values = by_group.mutable_data_ptr<double>();
    for_each(rows_.count, [&](int64_t row) {
      const auto i = static_cast<size_t>(row);
      double* of_row = values + row * by_group.size(1);
      for (size_t part = 0; part < parts.size(); ++part) {
        const double factor = factor_between(parts[part][i].reference, sums[i].reference);
        for (int64_t c = biased.first_columns[part]; c < biased.first_columns[part + 1]; ++c)
          of_row[c] *= factor;
      }
    });
  }

  void add_biased(const at::Tensor& by_group, const std::vector<RowSums>& sums,
                  const std::vector<float>& target_logits, int64_t first_row,
                  BiasedParts& biased) const {
    for (size_t i = 0; i < sums.size(); ++i) {
      const int64_t row = first_row + static_cast<int64_t>(i);
      biased.references.mutable_data_ptr<double>()[row] = static_cast<double>(sums[i].reference);
      biased.target_logits.mutable_data_ptr<double>()[row] = static_cast<double>(target_logits[i]);
    }
    constexpr int64_t kRowsAtOnce = 64;
    for_each(parts_of(rows_.count, kRowsAtOnce), [&](int64_t block) {
      const int64_t begin = block * kRowsAtOnce;
      const int64_t count = std::min(kRowsAtOnce, rows_.count - begin);
      biased.values->add(first_row + begin, by_group.narrow(0, begin, count));
    });
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
    if (part.largest > sum.largest) sum.argmax = part.argmax;
    if (part.largest == sum.largest) sum.argmax = std::min(sum.argmax, part.argmax);
    sum.largest = std::max(sum.largest, part.largest);
    const float reference = std::max(sum.reference, part.reference);
    const double kept = factor_between(sum.reference, reference);
    const double added = factor_between(part.reference, reference);
    sum.reference = reference;
    for (size_t band = 0; band < kMaxBands; ++band)
      sum.band_sums[band] = sum.band_sums[band] * kept + part.band_sums[band] * added;
  }

  const LinearCrossEntropyKernels& kernels_;
  LinearCrossEntropySizes sizes_;
  at::Tensor head_;
  std::vector<int64_t> targets_;
  int64_t num_blocks_;
  int64_t num_pieces_;
  int64_t num_parts_;
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
                                         const at::Tensor& targets,
                                         const CountedVocabulary& vocabulary,
                                         ProductPrecision precision) {
  const LinearCrossEntropyKernels& kernels =
      required_kernels(hidden, head, targets, vocabulary.bands, at::kByte, precision);
  const std::vector<int64_t> y = checked_targets(targets, head.size(0));
  const at::Tensor places = vocabulary.place_of_token.index_select(0, targets.clamp_min(0))
                                .masked_fill_(targets.eq(kIgnoreTarget), kIgnoreTarget);
  if (hidden.size(0) == 0) {
    PositionEvaluations none = collect_evaluations({}, {});
    if (vocabulary.has_biases())
      none.biased_ce = at::zeros({0, vocabulary.biases.size(1)}, at::kDouble);
    return none;
  }
  int64_t most_rows = hidden.size(0);
  if (vocabulary.has_biases()) {
    constexpr int64_t kSums = int64_t{1} << 23;  // 64 MB
    const int64_t blocks = kSums / std::ssize(vocabulary.ends) / kHeadBlockRows;
    most_rows = std::max<int64_t>(blocks, 1) * kHeadBlockRows;
  }
  std::vector<RowEvaluation> evaluations;
  std::optional<BiasedParts> biased;
  for (int64_t row = 0; row < hidden.size(0); row += most_rows) {
    const int64_t count = std::min(most_rows, hidden.size(0) - row);
    const LinearCrossEntropy head_of_rows(hidden.narrow(0, row, count), head,
                                          places.narrow(0, row, count), kernels);
    if (vocabulary.has_biases() && row == 0)
      biased.emplace(vocabulary, targets, head_of_rows.part_ends());
    const std::vector<RowEvaluation> of_rows =
        head_of_rows.evaluate(vocabulary, row, biased ? &*biased : nullptr);
    evaluations.insert(evaluations.end(), of_rows.begin(), of_rows.end());
  }
  add_multiplications(static_cast<double>(hidden.numel()) * static_cast<double>(head.size(0)));
  PositionEvaluations result = collect_evaluations(evaluations, y);
  if (biased) result.biased_ce = biased->values->values(biased->references, biased->target_logits);
  return result;
}

}  // namespace pdl
