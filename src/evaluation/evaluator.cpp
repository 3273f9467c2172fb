#include "pdl/evaluation/evaluator.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "document_sums.h"
#include "pdl/base/log.h"
#include "pdl/batches/batch.h"
#include "pdl/kernels/cpu_kernels.h"
#include "pdl/metrics/bias_curve.h"
#include "pdl/model/logits_chunks.h"
#include "pdl/ops/evaluate_positions.h"

namespace pdl {
namespace {

// Sums over the evaluated targets by token id [V] and by band, float64 on the model's device.
struct TokenSums {
  at::Tensor targets;    // [V]: how often the token was the target
  at::Tensor ce;         // [V]: Σ ce of those, nats
  at::Tensor hits;       // [V]: how often it was the target and the most probable token
  at::Tensor band_mass;  // [kMaxBands]: Σ over all positions of the probability of the band
  at::Tensor nonfinite;  // [1]: targets whose ce is not finite
};

TokenSums zero_sums(const LanguageModel& model) {
  const auto zeros = [&](int64_t size) {
    return at::zeros({size}, at::dtype(at::kDouble).device(model.info().device));
  };
  return {zeros(model.info().vocab_size), zeros(model.info().vocab_size),
          zeros(model.info().vocab_size), zeros(static_cast<int64_t>(kMaxBands)), zeros(1)};
}

void add_positions(const PositionEvaluations& positions, const at::Tensor& batch_targets,
                   TokenSums& sums) {
  const at::Tensor targets = batch_targets.reshape(-1);
  const at::Tensor is_target = targets.ne(kIgnoreTarget).to(at::kDouble);
  const at::Tensor y = targets.clamp_min(0);
  sums.targets.index_add_(0, y, is_target);
  sums.ce.index_add_(0, y, positions.ce);
  sums.hits.index_add_(0, y, positions.is_hit.to(at::kDouble));
  sums.band_mass.add_(positions.band_mass);
  sums.nonfinite.add_(positions.ce.isfinite().logical_not_().sum());
}

// `documents` [B, T] are those of the targets, if there are sums of documents.
void add_batch(LanguageModel& model, const Batch& batch, const CountedVocabulary& vocabulary,
               int64_t chunk_positions, TokenSums& sums, const at::Tensor& documents,
               DocumentSums* document_sums) {
  const ModelInput input{batch.input_ids, batch.document_starts};
  const auto add = [&](const PositionEvaluations& positions, const at::Tensor& targets,
                       const at::Tensor& of_targets) {
    add_positions(positions, targets, sums);
    if (document_sums != nullptr)
      document_sums->add(positions.biased_ce, targets.reshape(-1), of_targets.reshape(-1));
  };
  // A program's forward is called as it is unless there is a reason not to.
  if (chunk_positions == 0 && model.info().is_program) {
    add(evaluate_positions(model.forward(input), batch.targets, vocabulary), batch.targets,
        documents);
    return;
  }
  const at::Tensor hidden = at_target_positions(batch, model.hidden(input));
  const at::Tensor targets = at_target_positions(batch, batch.targets);
  add(evaluate_in_chunks(model, hidden, chunk_positions, targets, vocabulary), targets,
      document_sums == nullptr ? documents : at_target_positions(batch, documents));
}

std::vector<double> to_vector(const at::Tensor& tensor) {
  const at::Tensor host = tensor.cpu();
  const auto* begin = host.const_data_ptr<double>();
  return {begin, begin + host.numel()};
}

EvalMetrics summarise(const TokenSums& sums, const WeightTable& table) {
  const std::vector<double> weights = table.full_weights();
  const std::vector<int64_t>& counts = table.counts();
  const std::vector<double> targets = to_vector(sums.targets);
  const std::vector<double> ce = to_vector(sums.ce);
  const std::vector<double> hits = to_vector(sums.hits);
  const std::vector<double> band_mass = to_vector(sums.band_mass);
  double num_tokens = 0;
  double ce_sum = 0;
  double hit_sum = 0;
  double weight_sum = 0;
  double weighted_sum = 0;
  std::array<double, kFrequencyBands.size()> band_targets{};
  std::array<double, kFrequencyBands.size()> band_ce{};
  std::array<double, kFrequencyBands.size()> band_hits{};
  for (size_t token = 0; token < targets.size(); ++token) {
    const auto band = static_cast<size_t>(band_of_count(counts[token]));
    // Weights are rounded to float32, as the training loss uses them.
    const auto weight = static_cast<double>(static_cast<float>(weights[token]));
    num_tokens += targets[token];
    ce_sum += ce[token];
    hit_sum += hits[token];
    weight_sum += weight * targets[token];
    weighted_sum += weight * ce[token];
    band_targets[band] += targets[token];
    band_ce[band] += ce[token];
    band_hits[band] += hits[token];
  }
  EvalMetrics metrics;
  metrics.eval_loss = weighted_sum / weight_sum;
  metrics.eval_ce = ce_sum / num_tokens;
  metrics.eval_ppl = std::exp(metrics.eval_ce);
  metrics.eval_tokens = static_cast<int64_t>(num_tokens);
  metrics.eval_accuracy = hit_sum / num_tokens;
  for (size_t band = 0; band < kFrequencyBands.size(); ++band) {
    BandMetrics& result = metrics.eval_bands[band];
    result.tokens = static_cast<int64_t>(band_targets[band]);
    result.predicted_mass = band_mass[band] / num_tokens;
    if (result.tokens == 0) continue;
    result.ce = band_ce[band] / band_targets[band];
    result.accuracy = band_hits[band] / band_targets[band];
  }
  metrics.eval_nonfinite_tokens = static_cast<int64_t>(sums.nonfinite.item<double>());
  return metrics;
}

void warn_of_nonfinite(const EvalMetrics& metrics) {
  if (metrics.eval_nonfinite_tokens == 0) return;
  log_warning("the cross-entropy of " + std::to_string(metrics.eval_nonfinite_tokens) + " of " +
              std::to_string(metrics.eval_tokens) +
              " evaluation targets is not finite, so that the figures they belong to are not "
              "either; the model gives NaN or infinite logits there");
}

}  // namespace

std::optional<EvalMetrics> evaluate(LanguageModel& model, const Sequences& sequences,
                                    const WeightTable& weights, const EvaluatorOptions& options,
                                    const std::function<bool()>& goes_on,
                                    DocumentTable* documents) {
  const at::NoGradGuard no_grad;
  model.set_training(false);
  const at::Device device = model.info().device;
  std::optional<DocumentSums> document_sums;
  if (!options.taus.empty()) document_sums.emplace(sequences, weights.counts(), options.taus);
  const CountedVocabulary vocabulary(weights.counts(), options.taus, device);
  TokenSums sums = zero_sums(model);
  int64_t batches = 0;
  for (int64_t begin = 0; begin < sequences.size(); begin += options.batch_size) {
    if (options.max_batches > 0 && batches == options.max_batches) break;
    if (goes_on && !goes_on()) return std::nullopt;
    std::vector<int64_t> batch(
        static_cast<size_t>(std::min(options.batch_size, sequences.size() - begin)));
    std::iota(batch.begin(), batch.end(), begin);
    const Batch tensors = make_batch(sequences, batch, options.batch);
    at::Tensor of_targets;
    if (document_sums)
      of_targets = document_sums->documents_of(batch, tensors.targets.size(1)).to(device);
    add_batch(model, tensors, vocabulary, options.chunk_positions, sums, of_targets,
              document_sums ? &*document_sums : nullptr);
    model.pull_buffers();  // here, because the evaluation may be broken off
    ++batches;
  }
  EvalMetrics metrics = summarise(sums, weights);
  if (document_sums) {
    const BiasPoint best = best_point(bias_curve(document_sums->table()));
    metrics.best_tau = best.tau;
    metrics.detilted_ce = best.ce;
    if (documents != nullptr) *documents = document_sums->table();
  }
  warn_of_nonfinite(metrics);
  return metrics;
}

}  // namespace pdl
