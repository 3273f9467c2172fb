// A whole small run in one process: random sequences, a small model, everything a Trainer needs.
#pragma once

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pdl/base/random.h"
#include "pdl/checkpoint/checkpoint.h"
#include "pdl/trainer/trainer.h"
#include "support/corpus_of.h"
#include "support/script_model.h"
#include "support/temp_folder.h"

namespace pdl {

// Makes documents of 2 to 9 random tokens below `vocab`: sequences of very different length and
// weight.
inline Sequences random_sequences(int64_t num_documents, uint64_t seed, int32_t vocab = 11) {
  std::vector<Token> tokens;
  std::vector<int64_t> ends;
  Random random(seed);
  for (int64_t document = 0; document < num_documents; ++document) {
    for (uint64_t left = 2 + random.below(8); left > 0; --left) {
      // the lower of two draws: small ids are frequent
      tokens.emplace_back(static_cast<int32_t>(std::min(
          random.below(static_cast<uint64_t>(vocab)), random.below(static_cast<uint64_t>(vocab)))));
    }
    ends.push_back(std::ssize(tokens));
  }
  return {corpus_of(tokens, ends), {.max_length = 16, .packing = false}};
}

class RecordingObserver : public RunObserver {
 public:
  void on_step(const StepMetrics& step) override { steps.push_back(step); }
  void on_skip(const SkipMetrics& skip) override { skips.push_back(skip); }
  void on_spike(const SpikeMetrics& spike) override { spikes.push_back(spike); }
  void on_eval(const EvalMetrics& eval) override { evals.push_back(eval); }

  std::vector<StepMetrics> steps;
  std::vector<SkipMetrics> skips;
  std::vector<SpikeMetrics> spikes;
  std::vector<EvalMetrics> evals;
};

struct SmallRun {
  explicit SmallRun(const char* source = kCausalSource, int64_t num_documents = 16,
                    int32_t vocab = 11)
      : SmallRun(script_module(source), num_documents, vocab) {}

  explicit SmallRun(const torch::jit::Module& module, int64_t num_documents = 16,
                    int32_t vocab = 11)
      : rows(random_sequences(num_documents, 5, vocab)), model(load_script_model(folder, module)) {
    model->prepare_training(at::ones({3, 4}, at::kLong));
    training().logging_steps = 1;
    training().max_steps = 1;
    training().shuffle = false;
    options.schedule.lr_scheduler_type = ScheduleType::kConstant;
    options.schedule.learning_rate = 0.01;
    options.step.max_grad_norm = 0;
    options.output_dir = folder / "out";
    identity.config_json = "{}";
    weight_options.pdl_alpha = 1.0;
  }

  // Makes optimiser and trainer with the current options, and resumes if asked to.
  Trainer& start(const std::filesystem::path& checkpoint = {}) {
    std::filesystem::create_directories(options.output_dir);
    optimizer = make_optimizer(with_decay_rule(model->parameters().trained), optimizer_options);
    weights = std::make_unique<WeightTable>(count_targets(rows, kTestVocab), weight_options,
                                            std::vector<int32_t>{}, at::kCPU);
    trainer = std::make_unique<Trainer>(TrainerParts{.step = {.model = *model,
                                                              .optimizer = *optimizer,
                                                              .weights = *weights,
                                                              .group = *group},
                                                     .train_sequences = rows,
                                                     .eval_sequences = eval_sequences,
                                                     .identity = identity,
                                                     .observer = observer,
                                                     .control = control},
                                        options);
    if (!checkpoint.empty()) trainer->resume(checkpoint);
    return *trainer;
  }

  void run(const std::filesystem::path& checkpoint = {}) { start(checkpoint).run(); }

  TrainingOptions& training() { return options.step.training; }

  TempFolder folder;
  Sequences rows;
  const Sequences* eval_sequences = nullptr;
  RunControl* control = nullptr;
  std::unique_ptr<LanguageModel> model;
  TrainerOptions options;
  WeightOptions weight_options;
  OptimizerOptions optimizer_options;
  RunIdentity identity;
  SingleProcessGroup single;
  ProcessGroup* group = &single;
  RecordingObserver observer;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<WeightTable> weights;
  std::unique_ptr<Trainer> trainer;
};

inline std::vector<at::Tensor> copies(const std::vector<NamedTensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const NamedTensor& named : tensors) result.push_back(named.tensor.detach().clone());
  return result;
}

inline void expect_equal(const std::vector<at::Tensor>& one, const std::vector<at::Tensor>& other) {
  ASSERT_EQ(one.size(), other.size());
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], other[i])) << i;
}

// Stops after so many questions, and asks for a save at the step after `save_after` questions.
class ScriptedControl : public RunControl {
 public:
  explicit ScriptedControl(int64_t stop_after) : stop_after_(stop_after) {}
  bool stop_requested() override { return ++questions_ > stop_after_; }
  bool take_save_request() override { return std::exchange(save_wanted, false); }

  bool save_wanted = false;

 private:
  int64_t stop_after_;
  int64_t questions_ = 0;
};

inline std::vector<int64_t> checkpoint_steps(const SmallRun& run) {
  std::vector<int64_t> steps;
  for (const auto& [step, path] : list_checkpoints(run.options.output_dir)) steps.push_back(step);
  return steps;
}

}  // namespace pdl
