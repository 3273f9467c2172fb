#include "pdl/checkpoint/records/trainer_state.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pdl/base/error.h"

namespace pdl {
namespace {

RunIdentity identity() {
  return {.model_sha256 = "m",
          .tokenizer_sha256 = "t",
          .train_sha256 = "d",
          .eval_sha256 = "e",
          .frequency_sha256 = "f",
          .config_json = "{\"pdl_alpha\": 0.25}",
          .versions = {{"LibTorch", "2.13.0"}}};
}

TrainerState state() {
  TrainerState state;
  state.step = 7;
  state.ledger.num_tokens = 1000;
  state.ledger.skipped_steps = 2;
  state.ledger.bad_steps_in_a_row = 1;
  state.ledger.pending = {.weighted_sum = 0.1,
                          .ce_sum = 1.0 / 3,
                          .weight_sum = 2,
                          .square_sum = 3,
                          .num_tokens = 4,
                          .steps = 5};
  state.ledger.learning_rate = 0.25;
  state.ledger.grad_norm = std::numeric_limits<double>::quiet_NaN();
  state.ledger.ce_history = {1.0 / 3, 2.5};
  state.evaluation_due = true;
  state.last_train.emplace().ce = 1.5;
  state.selection.best_eval.emplace().step = 3;
  state.selection.best_eval->eval_bands[2].ce = 0.7;
  state.last_eval.emplace().eval_ce = std::numeric_limits<double>::quiet_NaN();
  return state;
}

TEST(TrainerStateTest, ReadsBackWhatItWrites) {
  const auto [read, read_identity] = parse_trainer_state(to_json(state(), identity()), "s");
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.ledger.pending.ce_sum, 1.0 / 3);
  EXPECT_EQ(read.ledger.learning_rate, 0.25);
  EXPECT_TRUE(std::isnan(read.ledger.grad_norm));
  EXPECT_EQ(read.ledger.ce_history, (std::vector<double>{1.0 / 3, 2.5}));
  EXPECT_TRUE(read.evaluation_due);
  EXPECT_EQ(read.last_train->ce, 1.5);
  EXPECT_EQ(read.selection.best_eval->eval_bands[2].ce, 0.7);
  EXPECT_EQ(read.selection.best_eval->eval_bands[1].ce, std::nullopt);
  EXPECT_TRUE(std::isnan(read.last_eval->eval_ce));
  EXPECT_EQ(to_json(read, read_identity), to_json(state(), identity()));
}

TEST(TrainerStateTest, EveryTruncationIsACheckpointError) {
  const std::string text = to_json(state(), identity());
  for (size_t length = 0; length + 2 < text.size(); ++length) {
    EXPECT_THROW(parse_trainer_state(text.substr(0, length), "s"), CheckpointError);
  }
  EXPECT_THROW(parse_trainer_state("{}", "s"), CheckpointError);
  EXPECT_THROW(parse_trainer_state("{\"step\": \"x\"}", "s"), CheckpointError);
}

// Returns the text of a state with `from`, which it must hold, replaced by `to`.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = to_json(state(), identity());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TrainerStateTest, ACountThatIsNoneIsACheckpointError) {
  EXPECT_NO_THROW(parse_trainer_state(changed("\"num_tokens\": 1000", "\"num_tokens\": 1"), "s"));
  for (const char* count :
       {"-1", "1.5", "1e300", "9223372036854775808", "18446744073709551615", "true", "null"}) {
    for (const char* field : {"\"step\": 7", "\"num_tokens\": 1000", "\"num_tokens\": 4",
                              "\"steps\": 5", "\"step\": 3", "\"tokens\": 0"}) {
      const std::string name = std::string(field).substr(0, std::string(field).find(' '));
      EXPECT_THROW(parse_trainer_state(changed(field, name + " " + count), "s"), CheckpointError)
          << field << " " << count;
    }
  }
}

TEST(TrainerStateTest, SumsThatAreNotFiniteReadBack) {
  TrainerState broken = state();
  broken.ledger.pending.ce_sum = std::numeric_limits<double>::infinity();
  const std::string text = to_json(broken, identity());
  const auto [read, read_identity] = parse_trainer_state(text, "s");
  EXPECT_TRUE(std::isnan(read.ledger.pending.ce_sum));
  EXPECT_EQ(to_json(read, read_identity), text);
}

TEST(TrainerStateTest, HostileTextIsACheckpointError) {
  const std::string config = "\"pdl_alpha\": 0.25";
  const std::string deep = "\"x\": " + std::string(100'000, '[') + std::string(100'000, ']');
  std::string many = "\"x\": 0";
  for (int i = 0; i < 300'000; ++i) many += ",\"" + std::to_string(i) + "\":0";
  EXPECT_THROW(parse_trainer_state(changed(config, deep), "s"), CheckpointError);
  EXPECT_NO_THROW(parse_trainer_state(changed(config, many), "s"));  // and takes no minutes
  EXPECT_THROW(parse_trainer_state(to_json(state(), identity()) + std::string(1, '\0') + "x", "s"),
               CheckpointError);
  EXPECT_THROW(parse_trainer_state(changed("{\n  \"LibTorch\": \"2.13.0\"\n }", "\"x\""), "s"),
               CheckpointError);
}

}  // namespace
}  // namespace pdl
