#include "pdl/run/text_quality.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "judge.h"
#include "measured_texts.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/config/config_table.h"
#include "pdl/generation/generate.h"
#include "repeated_targets.h"

namespace pdl {
namespace {

void require_tokenizer(const Job& job) {
  if (job.tokenizer != nullptr) return;
  throw ConfigError("tokenizer_path: needed for the words of texts; give the tokenizer of the ids");
}

// Longer texts would be cut, and then not compare with others.
void require_positions(const ModelInfo& model, const ExcerptLength& length) {
  if (model.is_program || model.max_positions == 0) return;
  if (length.total() <= model.max_positions) return;
  throw ConfigError("--max_new_tokens: the model has " + std::to_string(model.max_positions) +
                    " positions, of which prompts take " + std::to_string(length.prompt) +
                    "; give " + std::to_string(model.max_positions - length.prompt) + " or less");
}

std::string lengths_of(const ExcerptLength& length) {
  return std::to_string(length.total()) + " ids, " + std::to_string(length.prompt) +
         " of a prompt and " + std::to_string(length.continuation) + " after them";
}

std::string documents_of(const TokenizedCorpus& corpus) {
  return std::to_string(corpus.document_ends.size());
}

ContinuedPrompts take_human(const Job& job, const ExcerptLength& length, int64_t most) {
  const TokenizedCorpus& corpus = job.data.eval->corpus();
  ContinuedPrompts human = take_excerpts(corpus, length, most, *job.tokenizer);
  const size_t found = human.prompts.size();
  if (found == 0) {
    throw DataError("eval_files: none of " + documents_of(corpus) + " documents has " +
                    lengths_of(length) + "; give longer documents or less --max_new_tokens");
  }
  if (most < INT64_MAX && std::cmp_less(found, most)) {
    log_warning("--generate " + std::to_string(most) + ": only " + std::to_string(found) + " of " +
                documents_of(corpus) + " documents of eval_files have " + lengths_of(length) +
                "; so many samples are made");
  }
  return human;
}

// As many texts as `human` has, or fewer, where there are no more.
std::optional<ContinuedPrompts> take_floor(const Job& job, const ExcerptLength& length,
                                           int64_t human) {
  if (!job.data.train) {
    log_warning("without train_files there is no `floor` of text quality: it is null");
    return std::nullopt;
  }
  const TokenizedCorpus& corpus = job.data.train->corpus();
  ContinuedPrompts floor = take_excerpts(corpus, length, human, *job.tokenizer);
  const size_t found = floor.prompts.size();
  if (std::cmp_less(found, human)) {
    log_warning("only " + std::to_string(found) + " of " + documents_of(corpus) +
                " documents of train_files have " + lengths_of(length) + "; `floor` is of " +
                (found == 0 ? "none, and null" : "these") + ", `human` of " +
                std::to_string(human) + " texts");
  }
  if (found == 0) return std::nullopt;
  return floor;
}

// Figures of texts of other lengths do not compare.
void warn_of_lengths(const Samples& samples, int64_t length) {
  const auto others = std::ranges::count_if(
      samples, [&](const std::vector<int32_t>& ids) { return std::ssize(ids) != length; });
  if (others == 0) return;
  log_warning(std::to_string(others) + " of " + std::to_string(samples.size()) +
              " samples have another number of ids than the " + std::to_string(length) +
              " of the texts beside them, and length moves every figure; give their number as "
              "--max_new_tokens");
}

}  // namespace

struct TextQualityRun::State {
  State(const Job& of, const TextQualityOptions& with) : job(of), options(with) {}

  void choose_texts();
  void generate_samples();
  std::optional<double> judged(const ContinuedPrompts& texts) {
    return judge ? judge->nll(texts) : std::nullopt;
  }

  const Job& job;
  TextQualityOptions options;
  ContinuedPrompts generated;
  ContinuedPrompts human;
  std::optional<ContinuedPrompts> floor;
  std::optional<Judge> judge;
  std::optional<DurableFile> output;
};

void TextQualityRun::State::choose_texts() {
  require_tokenizer(job);
  const bool generates = options.num_samples > 0;
  const ExcerptLength length{.prompt = kQualityPromptTokens,
                             .continuation = options.max_new_tokens};
  if (generates) require_positions(job.model->info(), length);
  human = take_human(job, length, generates ? options.num_samples : INT64_MAX);
  floor = take_floor(job, length, std::ssize(human.prompts));
  if (!generates) {
    generated = read_samples(options.samples, job.model->info().vocab_size, *job.tokenizer,
                             job.config.text, human);
    warn_of_lengths(generated.texts.ids, options.max_new_tokens);
  }
  if (!options.judge_model.empty()) {
    judge.emplace(job, options.judge_model);
    judge->require_length(length.total());
    if (!generates && generated.prompts.empty())
      log_warning(
          "not every sample of --generate_from has a prompt, so that their judge_nll is null");
  }
  if (!options.output.empty()) output.emplace(options.output);
}

void TextQualityRun::State::generate_samples() {
  GenerationOptions how;
  how.sampling.temperature = options.temperature;
  how.seed = static_cast<uint64_t>(job.config.training.seed);
  how.max_new_tokens = options.max_new_tokens;
  how.batch_size = job.config.evaluation.per_device_eval_batch_size;
  const std::string count = std::to_string(human.prompts.size());
  log_info("generating " + count + " samples of " + std::to_string(how.max_new_tokens) +
           " tokens, which no eos ends; the next token is " +
           (how.sampling.temperature == 0
                ? std::string("the one with the highest score")
                : "drawn with temperature " + shown(how.sampling.temperature) + " and seed " +
                      std::to_string(how.seed)));
  GenerationSinks sinks;
  sinks.on_sample = [&](const Sample& sample) {
    generated.texts.ids.push_back(sample.ids);
    generated.texts.texts.push_back(sample.text);
    show_progress("generated " + std::to_string(generated.texts.ids.size()) + " of " + count +
                  " samples");
    if (!output) return;
    const auto& prompt = human.prompts[static_cast<size_t>(sample.prompt_index)];
    output->write(to_json(sample, continuation_text(*job.tokenizer, {}, prompt), how.seed) + "\n");
  };
  generate(*job.model, *job.tokenizer, human.prompts, how, sinks);
  show_progress("");
  generated.prompts = human.prompts;
  if (output) output->close();
}

TextQualityRun::TextQualityRun(const Job& job, const TextQualityOptions& options)
    : state_(std::make_unique<State>(job, options)) {
  state_->choose_texts();
}

TextQualityRun::~TextQualityRun() = default;

TextQuality TextQualityRun::measure() {
  State& state = *state_;
  const Job& job = state.job;
  job.model->set_training(false);
  if (state.options.num_samples > 0) state.generate_samples();
  const RepetitionFigures repetition = repetition_of(job);
  const QualityOptions options{.training_counts = job.loss.table.counts,
                               .rare_below = state.options.rare_below};
  const TextSamples* floor = state.floor ? &state.floor->texts : nullptr;
  TextQuality quality{.samples = std::ssize(state.generated.texts.ids),
                      .prompt_tokens = kQualityPromptTokens,
                      .max_new_tokens = state.options.max_new_tokens,
                      .rare_below = options.rare_below,
                      .rep_128 = repetition.repeated(),
                      .wrep_128 = repetition.wrongly_repeated(),
                      .uniq = repetition.distinct(),
                      .generated = measure_text(state.generated.texts, &state.human.texts, options),
                      .human = measure_text(state.human.texts, floor, options),
                      .floor = std::nullopt};
  quality.generated.judge_nll = state.judged(state.generated);
  quality.human.judge_nll = state.judged(state.human);
  if (!state.floor) return quality;
  quality.floor = measure_text(*floor, &state.human.texts, options);
  quality.floor->judge_nll = state.judged(*state.floor);
  return quality;
}

}  // namespace pdl
