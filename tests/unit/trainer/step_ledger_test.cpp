#include "pdl/trainer/step_ledger.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pdl/base/error.h"
#include "pdl/trainer/spike_detector.h"

namespace pdl {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

PendingFigures pending(int64_t step, const StepFigures& figures, double z_score = 0) {
  const auto scalar = [](double value) { return at::full({}, value, at::kDouble); };
  return {.step = step,
          .sequences = {step, step + 100},
          .learning_rate = 0.1 * static_cast<double>(step),
          .z_score = z_score,
          .values = pack_figures({.weighted_sum = scalar(figures.weighted_sum),
                                  .ce_sum = scalar(figures.ce_sum),
                                  .weight_sum = scalar(figures.weight_sum),
                                  .square_sum = scalar(figures.square_sum),
                                  .num_tokens = at::full({}, figures.num_tokens, at::kLong),
                                  .grad_norm = scalar(figures.grad_norm),
                                  .loss_scale = at::full({}, figures.loss_scale, at::kFloat)})};
}

StepFigures good() {
  return {.weighted_sum = 6,
          .ce_sum = 12,
          .weight_sum = 3,
          .square_sum = 4,
          .num_tokens = 5,
          .grad_norm = 7,
          .loss_scale = 8};
}

TEST(StepFiguresTest, EachFigureComesBackAsItself) {
  const std::vector<StepFigures> read =
      read_figures(std::vector{pending(1, good()), pending(2, {.weighted_sum = -1})});
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].weighted_sum, 6);
  EXPECT_EQ(read[0].ce_sum, 12);
  EXPECT_EQ(read[0].weight_sum, 3);
  EXPECT_EQ(read[0].square_sum, 4);
  EXPECT_EQ(read[0].num_tokens, 5);
  EXPECT_EQ(read[0].grad_norm, 7);
  EXPECT_EQ(read[0].loss_scale, 8);
  EXPECT_EQ(read[1].weighted_sum, -1);
  EXPECT_TRUE(read_figures({}).empty());
}

TEST(StepLedgerTest, ALineCoversTheStepsSinceTheOneBefore) {
  LedgerState state;
  StepLedger ledger({}, state);
  ledger.add(pending(1, good()));
  ledger.add(pending(2, good()));
  EXPECT_TRUE(ledger.has_pending());
  EXPECT_TRUE(ledger.settle().empty());
  EXPECT_FALSE(ledger.has_pending());
  ledger.add_time(std::chrono::milliseconds(500));
  const StepMetrics line = ledger.report();
  EXPECT_EQ(line.loss, 2);        // Σ w·ce / Σ w
  EXPECT_EQ(line.ce, 24.0 / 10);  // Σ ce / n
  EXPECT_EQ(line.ppl, std::exp(2.4));
  EXPECT_EQ(line.weight_sum, 6);
  EXPECT_EQ(line.n_eff, 36.0 / 8);  // (Σ w)² / Σ w²
  EXPECT_EQ(line.num_tokens, 10);
  EXPECT_EQ(line.grad_norm, 7);
  EXPECT_EQ(line.learning_rate, 0.2);
  EXPECT_EQ(line.tokens_per_second, 20);
  EXPECT_EQ(line.step_ms, 250);
  EXPECT_FALSE(ledger.has_unreported());
  ledger.add(pending(3, good()));
  ledger.settle();
  EXPECT_EQ(ledger.report().weight_sum, 3);
  EXPECT_EQ(state.num_tokens, 15);  // of the whole run
}

TEST(StepLedgerTest, TheTimeOfAStepIsThatOfSkippedOnesToo) {
  LedgerState state;
  StepLedger ledger({}, state);
  StepFigures no_loss = good();
  no_loss.weighted_sum = kNan;
  for (const StepFigures& figures : {no_loss, good(), no_loss, no_loss})
    ledger.add(pending(1, figures));
  ledger.settle();
  ledger.add_time(std::chrono::milliseconds(1000));
  EXPECT_EQ(ledger.report().step_ms, 250);
}

TEST(StepLedgerTest, WhatIsNotFiniteOrHasNoTargetIsSkippedForItsReason) {
  struct Case {
    StepFigures figures;
    const char* reason;
    bool is_bad;
  };
  StepFigures no_loss = good();
  no_loss.weighted_sum = kNan;
  StepFigures no_gradient = good();
  no_gradient.grad_norm = kNan;
  no_gradient.loss_scale = 1;
  StepFigures scaled = no_gradient;
  scaled.loss_scale = 2;
  StepFigures no_target = good();
  no_target.weight_sum = 0;
  for (const Case& one :
       {Case{no_loss, "non-finite loss", true}, Case{no_gradient, "non-finite gradient", true},
        Case{scaled, "loss scale lowered", false}, Case{no_target, "no target", true}}) {
    LedgerState state;
    StepLedger ledger({}, state);
    ledger.add(pending(4, one.figures));
    const std::vector<StepEvent> events = ledger.settle();
    ASSERT_EQ(events.size(), 1U) << one.reason;
    const auto& skip = std::get<SkipMetrics>(events[0]);
    EXPECT_EQ(skip.reason, one.reason);
    EXPECT_EQ(skip.step, 4);
    EXPECT_EQ(skip.rows, (std::vector<int64_t>{4, 104}));
    EXPECT_EQ(state.skipped_steps, 1);
    EXPECT_EQ(state.bad_steps_in_a_row, one.is_bad ? 1 : 0) << one.reason;
    EXPECT_EQ(state.num_tokens, 0);
    EXPECT_FALSE(ledger.has_unreported());
  }
}

TEST(StepLedgerTest, DivergesAfterAsManyBadStepsInARowAsAllowed) {
  TrainingOptions options;
  options.max_bad_steps = 3;
  LedgerState state;
  StepLedger ledger(options, state);
  StepFigures bad = good();
  bad.weighted_sum = kNan;
  for (const int64_t step : {1, 2}) ledger.add(pending(step, bad));
  EXPECT_FALSE(ledger.could_diverge());
  ledger.add(pending(3, good()));
  EXPECT_TRUE(ledger.could_diverge());  // whatever their figures are
  ledger.settle();
  EXPECT_NO_THROW(ledger.require_progress());
  for (const int64_t step : {4, 5, 6}) ledger.add(pending(step, bad));
  EXPECT_EQ(ledger.settle().size(), 3U);
  EXPECT_THROW(ledger.require_progress(), NumericError);
}

TEST(StepLedgerTest, ASpikeIsTrainedOrSkippedAndEntersTheHistory) {
  for (const SpikeAction action : {SpikeAction::kWarn, SpikeAction::kSkip}) {
    TrainingOptions options;
    options.spike_threshold = 3;
    options.spike_action = action;
    LedgerState state;
    StepLedger ledger(options, state);
    ledger.add(pending(1, good(), 2.9));
    ledger.add(pending(2, good(), 3.1));
    const std::vector<StepEvent> events = ledger.settle();
    const bool skips = action == SpikeAction::kSkip;
    ASSERT_EQ(events.size(), skips ? 2U : 1U);
    EXPECT_EQ(std::get<SpikeMetrics>(events[0]).step, 2);
    EXPECT_EQ(std::get<SpikeMetrics>(events[0]).z_score, 3.1);
    if (skips) {
      EXPECT_EQ(std::get<SkipMetrics>(events[1]).reason, "spike");
    }
    EXPECT_EQ(state.ce_history, (std::vector<double>{2.4, 2.4}));
    EXPECT_EQ(state.num_tokens, skips ? 5 : 10);
    EXPECT_EQ(state.bad_steps_in_a_row, 0);
  }
}

}  // namespace
}  // namespace pdl
