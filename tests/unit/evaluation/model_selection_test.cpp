#include "pdl/evaluation/model_selection.h"

#include <gtest/gtest.h>

#include <limits>

namespace pdl {
namespace {

EvalMetrics evaluation(int64_t step, double value) {
  EvalMetrics metrics;
  metrics.step = step;
  metrics.eval_ce = metrics.eval_loss = metrics.eval_ppl = metrics.eval_accuracy = value;
  return metrics;
}

EvaluationOptions options(BestMetric metric, int64_t patience) {
  EvaluationOptions options;
  options.metric_for_best_model = metric;
  options.early_stopping_patience = patience;
  return options;
}

TEST(ModelSelectionTest, LossesAreBetterBelowAndAccuracyAbove) {
  for (const BestMetric metric : {BestMetric::kEvalCe, BestMetric::kEvalLoss, BestMetric::kEvalPpl,
                                  BestMetric::kEvalAccuracy}) {
    SelectionState state;
    ModelSelection selection(options(metric, 5), state);
    const bool rises = metric == BestMetric::kEvalAccuracy;
    EXPECT_TRUE(selection.add(evaluation(1, 0.5)));
    EXPECT_EQ(selection.add(evaluation(2, 0.6)), rises);
    EXPECT_EQ(selection.add(evaluation(3, 0.4)), !rises);
    EXPECT_EQ(selection.best_step(), rises ? 2 : 3);
  }
}

TEST(ModelSelectionTest, AnEqualOrNonFiniteEvaluationIsNoImprovement) {
  SelectionState state;
  ModelSelection selection(options(BestMetric::kEvalCe, 5), state);
  EXPECT_FALSE(selection.add(evaluation(1, std::numeric_limits<double>::quiet_NaN())));
  EXPECT_EQ(selection.best_step(), std::nullopt);
  EXPECT_TRUE(selection.add(evaluation(2, 1)));
  EXPECT_FALSE(selection.add(evaluation(3, 1)));
  EXPECT_FALSE(selection.add(evaluation(4, -std::numeric_limits<double>::infinity())));
  EXPECT_EQ(selection.best_step(), 2);
}

TEST(ModelSelectionTest, StopsWhenPatienceIsUsedUp) {
  SelectionState state;
  ModelSelection selection(options(BestMetric::kEvalCe, 2), state);
  selection.add(evaluation(1, 3));
  selection.add(evaluation(2, 4));
  EXPECT_FALSE(selection.stopped_early());
  selection.add(evaluation(3, 2));  // better: patience begins anew
  selection.add(evaluation(4, 4));
  EXPECT_FALSE(selection.stopped_early());
  selection.add(evaluation(5, 4));
  EXPECT_TRUE(selection.stopped_early());
}

TEST(ModelSelectionTest, WithoutPatienceTheBestIsKnownAndNotKept) {
  SelectionState state;
  ModelSelection selection(options(BestMetric::kEvalCe, 0), state);
  for (int64_t step = 1; step < 50; ++step) selection.add(evaluation(step, 1));
  EXPECT_FALSE(selection.stopped_early());
  EXPECT_EQ(selection.best_step(), std::nullopt);
  EXPECT_EQ(state.best_eval->step, 1);
}

}  // namespace
}  // namespace pdl
