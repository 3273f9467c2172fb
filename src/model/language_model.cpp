#include "pdl/model/language_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <exception>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/model/torch_error.h"

namespace pdl {
namespace {

class RecomputingDecoding : public Decoding {
 public:
  explicit RecomputingDecoding(LanguageModel& model) : model_(model) {}

  at::Tensor start(const std::vector<std::vector<int32_t>>& sequences) override {
    sequences_ = sequences;
    return logits();
  }

  at::Tensor next(std::span<const int32_t> ids) override {
    for (size_t i = 0; i < sequences_.size(); ++i) sequences_[i].push_back(ids[i]);
    return logits();
  }

  void select(std::span<const int64_t> sequences) override {
    std::vector<std::vector<int32_t>> kept;
    for (const int64_t i : sequences) kept.push_back(sequences_.at(static_cast<size_t>(i)));
    sequences_ = std::move(kept);
  }

 private:
  at::Tensor logits() {
    const at::NoGradGuard no_grad;
    const auto scope = model_.compute_scope();
    std::vector<at::Tensor> rows;
    for (const std::vector<int32_t>& sequence : sequences_) {
      const at::Tensor ids = at::tensor(sequence, at::kLong).to(model_.info().device).unsqueeze(0);
      rows.push_back(last_logits(ids).to(at::kFloat));
    }
    return at::cat(rows);
  }

  at::Tensor last_logits(const at::Tensor& ids) {
    if (!model_.info().splits_head) return model_.forward(ids).select(1, -1);
    return model_.head(model_.hidden(ids).narrow(1, ids.size(1) - 1, 1)).select(1, 0);
  }

  LanguageModel& model_;
  std::vector<std::vector<int32_t>> sequences_;
};

}  // namespace

std::unique_ptr<Decoding> LanguageModel::start_decoding() {
  return std::make_unique<RecomputingDecoding>(*this);
}

void LanguageModel::export_to(const std::filesystem::path& folder) {
  replace_folder(folder, [this](const std::filesystem::path& unfinished) { save(unfinished); });
}

HeadGradient LanguageModel::head_gradient(const at::Tensor& hidden, const at::Tensor& targets,
                                          const at::Tensor& weights, const at::Tensor& weight_sum) {
  const at::Tensor leaf = hidden.detach().set_requires_grad(true);
  const LossTerms terms = weighted_cross_entropy(head(leaf), targets, weights, weight_sum);
  backward_through(*this, terms.loss);
  return {{terms.weighted_sum, terms.ce_sum}, leaf.grad()};
}

PositionEvaluations LanguageModel::evaluate_head(const at::Tensor& hidden,
                                                 const at::Tensor& targets,
                                                 const CountedVocabulary& vocabulary) {
  return evaluate_positions(head(hidden), targets, vocabulary);
}

void LanguageModel::backward(const at::Tensor& hidden, const at::Tensor& gradient) {
  if (!hidden.requires_grad()) return;  // all but the head is frozen
  backward_through(*this, hidden, gradient);
}

void backward_through(const LanguageModel& model, const at::Tensor& tensor,
                      const at::Tensor& gradient) {
  try {
    tensor.backward(gradient);
  } catch (const std::exception& problem) {
    if (is_out_of_memory(problem)) throw;
    throw ModelError("model '" + model.info().path.string() +
                     "' fails in backward: " + torch_message(problem));
  }
}

std::vector<at::Tensor> copy_changing_buffers(const LanguageModel& model) {
  std::vector<at::Tensor> copies;
  for (const NamedTensor& buffer : model.parameters().changing) {
    copies.push_back(buffer.tensor.clone());
  }
  return copies;
}

// Buffers that began to change in the meantime come last, and are not among the copies.
void restore_changing_buffers(LanguageModel& model, const std::vector<at::Tensor>& copies) {
  model.pull_buffers();
  for (size_t i = 0; i < copies.size(); ++i) {
    model.parameters().changing[i].tensor.copy_(copies[i]);
  }
  model.push_buffers();
}

}  // namespace pdl
