#include "pdl/metrics/console_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "example_metrics.h"

namespace pdl {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

WeightStatistics statistics(double n_eff, TokenShare top) {
  WeightStatistics weights;
  weights.w_mean = 0.5;
  weights.n_eff = n_eff;
  weights.top_tokens = {std::move(top)};
  return weights;
}

TEST(WeightWarningsTest, SilentWithinBothLimits) {
  EXPECT_THAT(weight_warnings(statistics(0.05, {3, "ka", 5, 1.0, 0.20})), IsEmpty());
}

TEST(WeightWarningsTest, FewEffectiveTargets) {
  EXPECT_THAT(weight_warnings(statistics(0.049, {3, "ka", 5, 1.0, 0.1})),
              ElementsAre(AllOf(HasSubstr("n_eff is 0.049"), HasSubstr("lower pdl_alpha"),
                                HasSubstr("raise pdl_epsilon"), HasSubstr("set pdl_max_ratio"))));
}

TEST(WeightWarningsTest, TokenThatTheReferenceCorpusLacks) {
  EXPECT_THAT(weight_warnings(statistics(0.5, {2, "</s>", 0, 9.0, 0.895})),
              ElementsAre(AllOf(HasSubstr("token 2 '</s>' holds 89.5 % of the loss weight"),
                                HasSubstr("reference corpus contains it"))));
}

TEST(WeightWarningsTest, RareTokenWithAHighWeight) {
  EXPECT_THAT(weight_warnings(statistics(0.5, {3, "ka", 1234, 9.0, 0.25})),
              ElementsAre(AllOf(HasSubstr("counted only 1,234 times"), HasSubstr("lower pdl_alpha"),
                                HasSubstr("reference corpus"))));
}

// A lower alpha would give a frequent token still more of the weight.
TEST(WeightWarningsTest, FrequentTokenDoesNotAskForALowerAlpha) {
  EXPECT_THAT(weight_warnings(statistics(0.5, {3, "ka", 90000, 0.1, 0.3})),
              ElementsAre(AllOf(HasSubstr("frequent"), Not(HasSubstr("lower pdl_alpha")))));
}

TEST(StartReportTest, NamesFiguresAndEscapesPieces) {
  StartMetrics start = example_start();
  start.num_tokens = 1234567;
  EXPECT_THAT(
      start_report(start),
      ElementsAre("data: 120 documents (2 empty, skipped), 1,024 sequences, 1,234,567 targets "
                  "an epoch",
                  "model: 1,001 parameters, 1,000 trained; 60 steps in all",
                  "compute: cpu, AVX2 kernels, 2 threads",
                  "frequency table: 40,000 tokens of 380 types; 4 types never seen",
                  "targets with count 0: 1.0 %, below 5: 3.0 %; evaluation targets with "
                  "count 0: 4.0 %, below 5: 5.0 %",
                  "weights: min 0.1, mean 0.2, max 0.9; n_eff 0.6; unseen tokens are 1.0 % "
                  "of the targets and 2.0 % of the weight",
                  "weight by training count: 0: 0.0 %; 1-4: 3.1 %; 5-19: 6.2 %; 20-99: "
                  "9.4 %; 100-499: 12.5 %; 500-1999: 15.6 %; 2000+: 18.8 %",
                  "pdl_max_ratio lowered the weight of 12 types: 6.2 % of the targets; "
                  "their share of the weight was 50.0 % and is 25.0 %",
                  HasSubstr("share of the weight"),
                  AllOf(HasSubstr("12.5 %"), HasSubstr("400"), HasSubstr("'\u2581ka'")),
                  AllOf(HasSubstr("6.2 %"), HasSubstr("'\\n'"))));
}

TEST(StartReportTest, SaysNothingOfACapOrAnEvaluationThatThereIsNot) {
  StartMetrics start = example_start();
  start.weights.cap.reset();
  start.weights.eval_unseen_share.reset();
  start.weights.eval_rare_share.reset();
  for (const std::string& line : start_report(start)) {
    EXPECT_THAT(line, AllOf(Not(HasSubstr("evaluation")), Not(HasSubstr("pdl_max_ratio"))));
  }
}

TEST(StepLineTest, NamesEveryFigure) {
  EXPECT_EQ(step_line(example_step(1000)),
            "step 1,000: loss 0.1000, ce 2.5000, ppl 12.25, rate 5e-05, gradient norm 1.5, epoch "
            "0.75, 1,234,567 tokens, 4,097 tokens/s, 7.25 ms a step, 3 steps skipped");
}

TEST(StepLineTest, NonFiniteFiguresAreShown) {
  StepMetrics step = example_step(1);
  step.loss = std::numeric_limits<double>::quiet_NaN();
  step.ppl = std::numeric_limits<double>::infinity();
  step.tokens_per_second = std::numeric_limits<double>::infinity();
  EXPECT_THAT(step_line(step),
              AllOf(HasSubstr("loss nan"), HasSubstr("ppl inf"), HasSubstr("inf tokens/s")));
}

TEST(ProgressLineTest, TimeLeftIsThatOfTheRemainingSteps) {
  StepMetrics step = example_step(40);
  step.step_ms = 500;
  EXPECT_EQ(progress_line(step, 60), "step 40/60  loss 0.1  ce 2.5  4,097 tokens/s  10 s left");
  EXPECT_THAT(progress_line(step, 400), HasSubstr("3 min 0 s left"));
  EXPECT_THAT(progress_line(step, 40000), HasSubstr("5 h 33 min left"));
  EXPECT_THAT(progress_line(step, 30), HasSubstr("0 s left"));
  step.step_ms = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(progress_line(step, 60), HasSubstr("? left"));
}

TEST(EvalReportTest, LeavesOutBandsWithoutTargets) {
  EXPECT_THAT(eval_report(example_eval(60)),
              ElementsAre("eval at step 60: ce 3.2500, ppl 25.75, weighted loss 3.5000, accuracy "
                          "37.5 %, 210 targets",
                          AllOf(HasSubstr(": 1-4: 1.5000; 5-19: 2.5000;"), Not(HasSubstr(" 0:")))));
}

TEST(SkipLineTest, ShowsReasonAndTheFirstRows) {
  EXPECT_EQ(skip_line({7, {3, 5}, "the loss is not finite"}),
            "step 7 skipped, the loss is not finite: sequences 3, 5");
  EXPECT_THAT(skip_line({7, std::vector<int64_t>(10, 4), "x"}), HasSubstr("4 and 2 more"));
}

TEST(EndLineTest, NamesStatusAndTheBestEvaluation) {
  EXPECT_EQ(end_line(example_summary()),
            "finished after 60 steps, 93,000 tokens and 2 s; final eval ce 3.2500, best 3.2500 at "
            "step 40");
}

TEST(ConsoleSinkTest, WritesLinesToStderrAndNothingToStdout) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  ConsoleSink sink;
  sink.on_start(example_start());
  sink.on_resume(10);
  sink.on_step(example_step(20));
  sink.on_skip({21, {1}, "no target"});
  sink.on_eval(example_eval(30));
  sink.on_end(example_summary());
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  for (const char* part : {"data: 120", "resuming after step 10", "step 20: loss",
                           "step 21 skipped", "eval at step 30", "finished after 60"}) {
    EXPECT_THAT(written, HasSubstr(part));
  }
}

}  // namespace
}  // namespace pdl
