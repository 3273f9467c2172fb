#include "pdl/evaluation/model_selection.h"

#include <cmath>

namespace pdl {
namespace {

// Returns the metric that metric_for_best_model names, with its sign such that smaller is better.
double cost_of(const EvalMetrics& evaluation, BestMetric metric) {
  switch (metric) {
    case BestMetric::kEvalCe:
      return evaluation.eval_ce;
    case BestMetric::kEvalLoss:
      return evaluation.eval_loss;
    case BestMetric::kEvalPpl:
      return evaluation.eval_ppl;
    case BestMetric::kEvalAccuracy:
      return -evaluation.eval_accuracy;
  }
  return evaluation.eval_ce;
}

}  // namespace

bool ModelSelection::is_better(const EvalMetrics& candidate) const {
  const double cost = cost_of(candidate, options_.metric_for_best_model);
  if (!std::isfinite(cost)) return false;
  return !state_.best_eval || cost < cost_of(*state_.best_eval, options_.metric_for_best_model);
}

bool ModelSelection::add(const EvalMetrics& evaluation) {
  const bool improved = is_better(evaluation);
  if (improved) state_.best_eval = evaluation;
  state_.evaluations_without_improvement =
      improved ? 0 : state_.evaluations_without_improvement + 1;
  state_.stopped_early =
      keeps_best() && state_.evaluations_without_improvement >= options_.early_stopping_patience;
  return improved;
}

std::optional<int64_t> ModelSelection::best_step() const {
  if (!keeps_best() || !state_.best_eval) return std::nullopt;
  return state_.best_eval->step;
}

}  // namespace pdl
