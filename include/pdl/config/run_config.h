// A job: every key of run.json under its own name, in groups that are passed to the modules that
// use them. Plain values; config_table.h binds them to names, ranges, flags and the JSON Schema.
// The defaults are set here and nowhere else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pdl {

// What one document of a .txt file is.
enum class TextDocument { kFile, kParagraph, kLine };
// The unit of freq(t) and of epsilon: occurrences, or occurrences / total.
enum class FrequencyUnit { kCount, kRelative };
// The weight of a token with count 0: the formula's, that of count 1, or refuse if training or
// evaluation meets one.
enum class UnseenPolicy { kFormula, kCountOne, kError };
// The weight of control tokens (bos, eos, pad, unk): the formula's, or the occurrence-weighted mean
// of the others.
enum class SpecialTokenPolicy { kFormula, kNeutral };
// How the learning rate goes on after the warm-up; optim/schedule.h has the formulas.
enum class ScheduleType { kConstant, kLinear, kCosine, kWarmupStableDecay };
// The optimiser: AdamW with decoupled weight decay, or SGD with momentum.
enum class OptimizerType { kAdamW, kSgd };
// How a model computes: in float32, autocast to a dtype, or with products of split factors
// (ProductPrecision::kBfloat16x3).
enum class Precision { kFp32, kBf16, kFp16, kFp32x3 };
// Whether attention and positions keep the documents of a sequence apart; auto: where the model can
// do so.
enum class IsolateDocuments { kAuto, kTrue, kFalse };
// What happens to a step whose loss jumps: a warning alone, or no update either.
enum class SpikeAction { kWarn, kSkip };
// The figure of an evaluation by which the best model is chosen.
enum class BestMetric { kEvalCe, kEvalLoss, kEvalPpl, kEvalAccuracy };

// How files become documents and documents become tokens.
struct TextOptions {
  TextDocument text_document = TextDocument::kFile;
  std::string text_field = "text";
  std::string prompt_field = "prompt";
  std::string completion_field = "completion";
  std::string messages_field = "messages";
  // auto, chatml, llama2, llama3, plain, or the path of a .jinja file; see corpus/chat_format.h
  std::string chat_template = "auto";
  std::string chat_date = "";  // YYYY-MM-DD, which strftime_now of a chat template says; "": none
  bool completion_only_loss = true;
  bool add_bos = false;
  bool add_eos = true;
};

// The low-rank adapters of a native model; model/lora.h has their meaning.
struct AdapterOptions {
  int64_t lora_rank = 0;  // 0 is off
  double lora_alpha = 16;
  double lora_dropout = 0;
  std::vector<std::string> lora_target_modules;  // empty: the attention's projections
  std::filesystem::path adapter_path;            // to start from; empty: none
};

// How tokens become sequences.
struct SequenceOptions {
  int64_t max_length = 1024;  // tokens in a sequence, >= 2
  bool packing = true;        // join consecutive documents; false: one document each
};

// w[t] = 1 / (freq(t) + epsilon)^alpha and its corrections, applied in this order: unseen, cap,
// neutral.
struct WeightOptions {
  double pdl_alpha = 0.25;   // >= 0; 0 is plain cross-entropy
  double pdl_epsilon = 1.0;  // > 0, in the unit of pdl_frequency
  FrequencyUnit pdl_frequency = FrequencyUnit::kCount;
  UnseenPolicy pdl_unseen = UnseenPolicy::kFormula;
  SpecialTokenPolicy pdl_special_tokens = SpecialTokenPolicy::kFormula;
  double pdl_max_ratio =
      0;  // largest weight / smallest weight of a seen token; 0 is off, else >= 1
};

// The learning rate of each step.
struct ScheduleOptions {
  ScheduleType lr_scheduler_type = ScheduleType::kLinear;
  double learning_rate = 5e-5;
  double warmup_steps = 0;  // steps; below 1: a share of all steps
  double min_lr_ratio = 0;  // in [0, 1]: the final rate as a share of learning_rate
};

// How gradients become updates.
struct OptimizerOptions {
  OptimizerType optim = OptimizerType::kAdamW;
  double momentum = 0.9;    // of sgd
  double weight_decay = 0;  // of tensors with two or more dimensions
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;  // 0 is off
};

// How long to train, in which order and batches, and what ends a run early.
struct TrainingOptions {
  int64_t max_steps = -1;  // optimiser steps; -1: as num_train_epochs says
  double num_train_epochs = 3;
  int64_t per_device_train_batch_size = 8;
  int64_t gradient_accumulation_steps = 1;
  bool shuffle = true;
  int64_t seed = 42;
  int64_t pdl_alpha_warmup_steps = 0;
  int64_t max_bad_steps = 10;  // consecutive non-finite steps that end the run
  double spike_threshold = 0;  // z-score of the unweighted ce over 128 steps; 0 is off
  SpikeAction spike_action = SpikeAction::kWarn;
  double max_minutes = 0;  // 0 is off
  int64_t logging_steps = 10;
};

// When and on how much of eval_files the model is evaluated.
struct EvaluationOptions {
  int64_t per_device_eval_batch_size = 8;
  int64_t eval_steps = 0;               // 0: only at the end
  int64_t eval_max_batches = 0;         // 0: all
  int64_t early_stopping_patience = 0;  // evaluations without improvement; 0: off
  BestMetric metric_for_best_model = BestMetric::kEvalCe;
  std::string eval_bias_grid = "-1:1:0.125";  // see parse_bias_grid()
};

// What the model continues at each evaluation.
struct SampleOptions {
  std::vector<std::string> sample_prompts;  // empty: none
  int64_t sample_max_new_tokens = 64;
  double sample_temperature = 0;  // 0: the token with the highest score
  double sample_top_p = 1;
};

// When checkpoints are written, how many are kept, and from which a run goes on.
struct CheckpointOptions {
  int64_t save_steps = 500;                     // 0: only at the end
  int64_t save_total_limit = 3;                 // 0: keep all
  std::string resume_from_checkpoint = "auto";  // auto | never | a checkpoint's folder
};

// A whole job. Its paths are absolute once load_config() has made it.
struct RunConfig {
  std::filesystem::path model_path;
  std::filesystem::path tokenizer_path;
  std::filesystem::path output_dir;
  std::vector<std::string> train_files;  // absolute paths, globs expanded and sorted
  std::vector<std::string> eval_files;
  std::vector<std::string> pdl_reference_files;
  std::filesystem::path pdl_frequency_table;
  double pdl_max_unseen_share = 0.5;

  TextOptions text;
  AdapterOptions adapter;
  SequenceOptions sequences;
  WeightOptions weights;
  ScheduleOptions schedule;
  OptimizerOptions optimizer;
  TrainingOptions training;
  EvaluationOptions evaluation;
  SampleOptions samples;
  CheckpointOptions checkpoint;

  std::vector<std::string> freeze;  // regular expressions
  IsolateDocuments isolate_documents = IsolateDocuments::kAuto;
  bool gradient_checkpointing = false;  // compute layers again in backward
  int64_t logits_chunk_rows = 0;        // 0: automatic
  Precision precision = Precision::kFp32;
  std::string device = "auto";  // auto | cpu | cuda | cuda:N
  int64_t num_threads = 0;      // 0: all
  bool tensorboard = true;
};

}  // namespace pdl
