#include "pdl/config/config_table.h"

#include <algorithm>
#include <array>

#include "config_key.h"

namespace pdl {
namespace {

// Products of two numbers of sequences, micro-batches or tokens must stay within int64_t.
constexpr double kMaxSize = 2147483647;
// The range of integers that a double holds exactly.
constexpr double kMaxWholeNumber = 9007199254740992;

constexpr std::array kResumeWords{Words("auto"), Words("never")};
constexpr std::array kChatTemplates{Words("auto"), Words("chatml"), Words("llama2"),
                                    Words("llama3"), Words("plain")};
constexpr std::array kChatTemplateEndings{Words(".jinja")};
constexpr std::array kStandardInput{Words("-")};
constexpr std::array kDataEndings{Words(".txt"),   Words(".txt.gz"),   Words(".txt.zst"),
                                  Words(".jsonl"), Words(".jsonl.gz"), Words(".jsonl.zst"),
                                  Words(".npy")};

// Files are compared by hash, so they may have other paths when a run is resumed.
constexpr KeyRules data_files(bool required = false) {
  return {.required = required,
          .is_path = true,
          .words = kStandardInput,
          .endings = kDataEndings,
          .may_change_on_resume = true};
}

using G = KeyGroup;
using R = RunConfig;
using Adapter = AdapterOptions;
using Text = TextOptions;
using Weight = WeightOptions;
using Schedule = ScheduleOptions;
using Optimizer = OptimizerOptions;
using Train = TrainingOptions;
using Eval = EvaluationOptions;
using Samples = SampleOptions;
using Save = CheckpointOptions;

constexpr std::array kKeys{
    key<&R::model_path>(G::kModel, "model_path",
                        {"Hugging Face folder, or TorchScript file: input_ids [B, T] to logits",
                         "A folder holds `config.json` and `model.safetensors` or its shards."},
                        {.required = true, .may_change_on_resume = true}),
    key<&R::tokenizer_path>(
        G::kModel, "tokenizer_path",
        {"SentencePiece model, or tokenizer.json of Hugging Face",
         "A name that ends in `.json` is a `tokenizer.json`; a folder holds one "
         "or the other. Without it, the folder of `model_path` counts. "
         "Not needed if every data file is a `.npy`."},
        {.may_change_on_resume = true}),
    key<&R::freeze>(G::kModel, "freeze",
                    {"regular expressions; parameters with a match are not trained",
                     "A match anywhere in the name of a parameter counts."},
                    {.is_regex = true}),

    key<&R::adapter, &Adapter::lora_rank>(
        G::kModel, "lora_rank",
        {"rank of the adapters that are trained instead of the model; 0: none",
         "For Hugging Face folders. The run writes `adapter/`, as PEFT reads it, and `model/` with "
         "the adapters merged."},
        {.min = 0, .max = 65536}),
    key<&R::adapter, &Adapter::lora_alpha>(G::kModel, "lora_alpha",
                                           {"adapters count lora_alpha / lora_rank times"},
                                           {.min = 0, .open_min = true}),
    key<&R::adapter, &Adapter::lora_dropout>(G::kModel, "lora_dropout",
                                             {"dropout of the input of adapters"},
                                             {.min = 0, .max = 1, .open_max = true}),
    key<&R::adapter, &Adapter::lora_target_modules>(
        G::kModel, "lora_target_modules",
        {"names of the matrices that are adapted; none: the attention's projections",
         "A name counts at the end of a module's name, after a dot: `q_proj`. `all-linear` is "
         "every "
         "matrix of the layers."}),
    key<&R::adapter, &Adapter::adapter_path>(
        G::kModel, "adapter_path",
        {"folder of a LoRA adapter to start from, this program's or PEFT's",
         "Its rank, alpha and modules count."},
        {.may_change_on_resume = true}),

    key<&R::train_files>(G::kData, "train_files", {"training data; globs are expanded"},
                         data_files(/*required=*/true)),
    key<&R::eval_files>(G::kData, "eval_files", {"evaluation data; globs are expanded"},
                        data_files()),
    key<&R::text, &Text::text_document>(
        G::kData, "text_document",
        {"what one document of a .txt is: the file, a paragraph or a line",
         "Blank lines separate paragraphs."}),
    key<&R::text, &Text::text_field>(G::kData, "text_field", {"JSONL field of a text"}),
    key<&R::text, &Text::prompt_field>(G::kData, "prompt_field", {"JSONL field of a prompt"}),
    key<&R::text, &Text::completion_field>(G::kData, "completion_field",
                                           {"JSONL field of a completion"}),
    key<&R::text, &Text::messages_field>(G::kData, "messages_field",
                                         {"JSONL field of a chat's messages"}),
    key<&R::text, &Text::chat_template>(
        G::kData, "chat_template",
        {"how the messages of a chat become text",
         "`auto` is the template beside the tokenizer (`chat_template.jinja`, or `chat_template` "
         "of `tokenizer_config.json`), or `chatml` if there is none. See [Chats](data.md#chats)."},
        {.is_path = true, .words = kChatTemplates, .endings = kChatTemplateEndings}),
    key<&R::text, &Text::chat_date>(
        G::kData, "chat_date",
        {"the day that a chat template writes",
         "Empty: the day on which the run began, by the local clock; it stands in `config.json`, "
         "and a resumed run keeps it."},
        {.pattern = "^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$",
         .pattern_text = "a date, YYYY-MM-DD",
         .may_change_on_resume = true}),
    key<&R::text, &Text::completion_only_loss>(G::kData, "completion_only_loss",
                                               {"do not train on prompts and non-assistant turns"}),
    key<&R::text, &Text::add_bos>(G::kData, "add_bos",
                                  {"begin each document with the tokenizer's bos",
                                   "Does not apply to chats and `.npy` files."}),
    key<&R::text, &Text::add_eos>(G::kData, "add_eos",
                                  {"end each document with the tokenizer's eos",
                                   "Does not apply to chats and `.npy` files."}),
    key<&R::sequences, &SequenceOptions::max_length>(
        G::kData, "max_length", {"tokens in a sequence"}, {.min = 2, .max = kMaxSize}),
    key<&R::sequences, &SequenceOptions::packing>(
        G::kData, "packing",
        {"fill sequences with consecutive documents; false: one document a sequence",
         "With `false` a long document is cut into several sequences."}),
    key<&R::isolate_documents>(
        G::kData, "isolate_documents",
        {"no attention between the documents of a sequence: auto, true or false",
         "`auto` does so for Hugging Face folders; a TorchScript file cannot. Positions then begin "
         "at 0 in each document."}),
    key<&R::training, &Train::shuffle>(G::kData, "shuffle",
                                       {"new order of the sequences each epoch, from seed"}),

    key<&R::weights, &Weight::pdl_alpha>(
        G::kPowerLawDecay, "pdl_alpha",
        {"exponent of the weight 1/(freq + epsilon)^alpha; 0: plain cross-entropy"}, {.min = 0}),
    key<&R::weights, &Weight::pdl_epsilon>(G::kPowerLawDecay, "pdl_epsilon",
                                           {"added to the frequency, in the unit of pdl_frequency"},
                                           {.min = 0, .open_min = true}),
    key<&R::weights, &Weight::pdl_frequency>(
        G::kPowerLawDecay, "pdl_frequency",
        {"unit of the frequency: occurrences, or occurrences / total"}),
    key<&R::pdl_reference_files>(
        G::kPowerLawDecay, "pdl_reference_files",
        {"corpus to count; none: the training targets",
         "Every token of the corpus is counted. Without one, the targets of one epoch are."},
        data_files()),
    key<&R::pdl_frequency_table>(G::kPowerLawDecay, "pdl_frequency_table",
                                 {"saved frequency table to use instead of counting"},
                                 {.may_change_on_resume = true}),
    key<&R::weights, &Weight::pdl_unseen>(
        G::kPowerLawDecay, "pdl_unseen",
        {"weight of tokens with count 0",
         "`formula`: what the formula gives. `count_one`: as if counted once. `error`: exit code 3 "
         "if a training or evaluation target has count 0."}),
    key<&R::weights, &Weight::pdl_special_tokens>(
        G::kPowerLawDecay, "pdl_special_tokens",
        {"weight of control tokens; neutral: the mean of the others",
         "Control tokens are bos, eos, pad, unk and their like. The mean is weighted by "
         "occurrences."}),
    key<&R::weights, &Weight::pdl_max_ratio>(
        G::kPowerLawDecay, "pdl_max_ratio",
        {"cap on largest / smallest weight of counted tokens; 0: off",
         "A larger weight is lowered to the cap, that of a token with count 0 too."},
        {.min = 1, .or_value = 0}),
    key<&R::training, &Train::pdl_alpha_warmup_steps>(
        G::kPowerLawDecay, "pdl_alpha_warmup_steps",
        {"steps over which alpha rises linearly from 0", "Evaluations always use the full alpha."},
        {.min = 0}),
    key<&R::pdl_max_unseen_share>(
        G::kPowerLawDecay, "pdl_max_unseen_share",
        {"refuse to start above this share of loss weight on unseen tokens",
         "An unseen token is one with count 0. The run ends with exit code 3."},
        {.min = 0, .max = 1}),

    key<&R::training, &Train::max_steps>(G::kBatches, "max_steps",
                                         {"optimiser steps; -1: as num_train_epochs says"},
                                         {.min = 1, .or_value = -1, .may_change_on_resume = true}),
    key<&R::training, &Train::num_train_epochs>(
        G::kBatches, "num_train_epochs", {"passes over the sequences, may be a fraction"},
        {.min = 0, .max = 1e9, .open_min = true, .may_change_on_resume = true}),
    key<&R::training, &Train::per_device_train_batch_size>(
        G::kBatches, "per_device_train_batch_size", {"sequences in a micro-batch"},
        {.min = 1, .max = kMaxSize}),
    key<&R::training, &Train::gradient_accumulation_steps>(
        G::kBatches, "gradient_accumulation_steps", {"micro-batches in a step"},
        {.min = 1, .max = kMaxSize}),
    key<&R::training, &Train::seed>(
        G::kBatches, "seed", {"seed of the order of the sequences and of dropout"}, {.min = 0}),

    key<&R::schedule, &Schedule::learning_rate>(G::kOptimizer, "learning_rate",
                                                {"highest learning rate"}, {.min = 0}),
    key<&R::schedule, &Schedule::lr_scheduler_type>(
        G::kOptimizer, "lr_scheduler_type",
        {"shape of the rate after the warm-up",
         "`warmup_stable_decay` is constant, then linear over the last tenth of the steps."}),
    key<&R::schedule, &Schedule::warmup_steps>(
        G::kOptimizer, "warmup_steps", {"steps of linear warm-up; below 1: a share of all steps"},
        {.min = 0, .max = kMaxWholeNumber, .whole_from_one = true}),
    key<&R::schedule, &Schedule::min_lr_ratio>(G::kOptimizer, "min_lr_ratio",
                                               {"the rate ends at this share of learning_rate"},
                                               {.min = 0, .max = 1}),
    key<&R::optimizer, &Optimizer::optim>(G::kOptimizer, "optim", {"optimiser"}),
    key<&R::optimizer, &Optimizer::weight_decay>(
        G::kOptimizer, "weight_decay", {"decoupled decay of tensors of 2 or more dimensions"},
        {.min = 0}),
    key<&R::optimizer, &Optimizer::adam_beta1>(G::kOptimizer, "adam_beta1",
                                               {"decay of AdamW's first moment"},
                                               {.min = 0, .max = 1, .open_max = true}),
    key<&R::optimizer, &Optimizer::adam_beta2>(G::kOptimizer, "adam_beta2",
                                               {"decay of AdamW's second moment"},
                                               {.min = 0, .max = 1, .open_max = true}),
    key<&R::optimizer, &Optimizer::adam_epsilon>(G::kOptimizer, "adam_epsilon",
                                                 {"added to AdamW's denominator"}, {.min = 0}),
    key<&R::optimizer, &Optimizer::momentum>(G::kOptimizer, "momentum", {"momentum of sgd"},
                                             {.min = 0, .max = 1, .open_max = true}),
    key<&R::optimizer, &Optimizer::max_grad_norm>(
        G::kOptimizer, "max_grad_norm", {"gradients are clipped to this norm; 0: off"}, {.min = 0}),

    key<&R::precision>(
        G::kDevice, "precision",
        {"fp32; bf16, fp16: rounded products, fp32 weights; fp32x3: products in parts",
         "`fp16` needs CUDA. `fp32x3` makes products of bfloat16 in three parts, "
         "nearly as exact as `fp32`, for Hugging Face folders; it is meant for a "
         "CPU with AMX."}),
    key<&R::device>(G::kDevice, "device", {"auto (cuda if there is one), cpu, cuda or cuda:N"},
                    {.pattern = "^(auto|cpu|cuda(:(0|[1-9][0-9]?))?)$",
                     .pattern_text = R"("auto", "cpu", "cuda" or "cuda:N")"}),
    key<&R::num_threads>(G::kDevice, "num_threads", {"CPU threads; 0: all"},
                         {.min = 0, .max = 4096, .may_change_on_resume = true}),
    key<&R::gradient_checkpointing>(G::kDevice, "gradient_checkpointing",
                                    {"keep less of forward and compute layers again in backward",
                                     "For Hugging Face folders. Takes less memory and more time."}),
    key<&R::logits_chunk_rows>(
        G::kDevice, "logits_chunk_rows",
        {"positions whose logits exist at once, for models with hidden and head; 0: auto"},
        {.min = 0, .max = kMaxSize}),

    key<&R::evaluation, &Eval::eval_steps>(G::kEvaluation, "eval_steps",
                                           {"steps between evaluations; 0: only at the end"},
                                           {.min = 0}),
    key<&R::evaluation, &Eval::per_device_eval_batch_size>(
        G::kEvaluation, "per_device_eval_batch_size", {"sequences in an evaluation batch"},
        {.min = 1, .max = kMaxSize}),
    key<&R::evaluation, &Eval::eval_max_batches>(G::kEvaluation, "eval_max_batches",
                                                 {"batches of an evaluation; 0: all"}, {.min = 0}),
    key<&R::evaluation, &Eval::early_stopping_patience>(
        G::kEvaluation, "early_stopping_patience",
        {"evaluations without improvement before stopping; 0: off",
         "The model that is written at the end is then the best one."},
        {.min = 0}),
    key<&R::evaluation, &Eval::metric_for_best_model>(G::kEvaluation, "metric_for_best_model",
                                                      {"what early stopping compares"}),
    key<&R::evaluation, &Eval::eval_bias_grid>(
        G::kEvaluation, "eval_bias_grid",
        {"LOW:HIGH:STEP of tau: add tau·ln(count + 1) to the logits; empty: off",
         "An evaluation tells the tau with the least ce as `best_tau` and that ce as "
         "`detilted_ce`, and the run leaves `documents.jsonl`."},
        {.pattern = "^([-+.0-9eE]+:[-+.0-9eE]+:[-+.0-9eE]+)?$",
         .pattern_text = "LOW:HIGH:STEP, e.g. -1:1:0.125"}),

    key<&R::samples, &Samples::sample_prompts>(
        G::kEvaluation, "sample_prompts",
        {"texts that the model continues at each evaluation",
         "The samples stand in `samples.jsonl`, `metrics.jsonl` and TensorBoard, and change no bit "
         "of "
         "the training. The seed is `seed`."},
        {.may_change_on_resume = true}),
    key<&R::samples, &Samples::sample_max_new_tokens>(G::kEvaluation, "sample_max_new_tokens",
                                                      {"most tokens of a sample"},
                                                      {.min = 1, .may_change_on_resume = true}),
    key<&R::samples, &Samples::sample_temperature>(G::kEvaluation, "sample_temperature",
                                                   {"0: the token with the highest score"},
                                                   {.min = 0, .may_change_on_resume = true}),
    key<&R::samples, &Samples::sample_top_p>(
        G::kEvaluation, "sample_top_p",
        {"choose among the fewest best tokens with this probability; 1: all"},
        {.min = 0, .max = 1, .open_min = true, .may_change_on_resume = true}),

    key<&R::output_dir>(G::kOutput, "output_dir", {"folder for everything the run writes"},
                        {.required = true, .may_change_on_resume = true}),
    key<&R::checkpoint, &Save::save_steps>(G::kOutput, "save_steps",
                                           {"steps between checkpoints; 0: only at the end"},
                                           {.min = 0, .may_change_on_resume = true}),
    key<&R::checkpoint, &Save::save_total_limit>(
        G::kOutput, "save_total_limit",
        {"newest checkpoints to keep; 0: all", "At least two are kept."},
        {.min = 0, .may_change_on_resume = true}),
    key<&R::checkpoint, &Save::resume_from_checkpoint>(
        G::kOutput, "resume_from_checkpoint",
        {"auto (the newest valid one, else start), never, or a path",
         "`never` refuses an `output_dir` that is not empty."},
        {.is_path = true, .words = kResumeWords, .may_change_on_resume = true}),
    key<&R::training, &Train::max_minutes>(G::kOutput, "max_minutes",
                                           {"save and stop after this time; 0: off"},
                                           {.min = 0, .may_change_on_resume = true}),
    key<&R::training, &Train::logging_steps>(G::kOutput, "logging_steps",
                                             {"steps between lines of metrics"},
                                             {.min = 1, .may_change_on_resume = true}),
    key<&R::tensorboard>(G::kOutput, "tensorboard", {"write TensorBoard event files"},
                         {.may_change_on_resume = true}),

    key<&R::training, &Train::max_bad_steps>(
        G::kSafety, "max_bad_steps",
        {"non-finite steps in a row before giving up", "The run then ends with exit code 7."},
        {.min = 1}),
    key<&R::training, &Train::spike_threshold>(
        G::kSafety, "spike_threshold", {"z-score of the unweighted loss that is a spike; 0: off"},
        {.min = 0}),
    key<&R::training, &Train::spike_action>(
        G::kSafety, "spike_action",
        {"what to do with a step that spikes",
         "`warn` reports the step, `skip` also leaves it out of training."}),
};

constexpr std::array kRelations{
    KeyRelation{"eval_steps", KeyRelation::Type::kNeeds, "eval_files", false},
    KeyRelation{"early_stopping_patience", KeyRelation::Type::kNeeds, "eval_files", true},
    KeyRelation{"sample_prompts", KeyRelation::Type::kNeeds, "eval_files", true},
    KeyRelation{"early_stopping_patience", KeyRelation::Type::kNeeds, "eval_steps", true},
    KeyRelation{"pdl_frequency_table", KeyRelation::Type::kExcludes, "pdl_reference_files", false},
};

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

std::string_view group_title(KeyGroup group) {
  switch (group) {
    case KeyGroup::kModel:
      return "Model and tokenizer";
    case KeyGroup::kData:
      return "Data";
    case KeyGroup::kPowerLawDecay:
      return "Power-Law Decay Loss";
    case KeyGroup::kBatches:
      return "Batches and steps";
    case KeyGroup::kOptimizer:
      return "Optimiser and schedule";
    case KeyGroup::kDevice:
      return "Precision and device";
    case KeyGroup::kEvaluation:
      return "Evaluation";
    case KeyGroup::kOutput:
      return "Output, checkpoints and logging";
    case KeyGroup::kSafety:
      return "Safety";
  }
  return "";
}

const ConfigKey* find_config_key(std::string_view name) {
  const auto* found =
      std::find_if(kKeys.begin(), kKeys.end(), [&](const ConfigKey& k) { return k.name == name; });
  return found == kKeys.end() ? nullptr : found;
}

ConfigValue default_value(const ConfigKey& key) { return key.get(RunConfig{}); }

std::span<const KeyRelation> key_relations() { return kRelations; }

}  // namespace pdl
