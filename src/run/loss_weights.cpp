#include "pdl/run/loss_weights.h"

#include <utility>

#include "pdl/base/error.h"
#include "pdl/weights/weight_statistics.h"

namespace pdl {
namespace {

TokenCounts load_table(const WeightSources& sources, const TextInput& input, const Dataset& data,
                       CountCache& cache) {
  if (!sources.frequency_table.empty()) {
    return fit_to_model(load_token_counts(sources.frequency_table), input.tokenizer,
                        input.vocab_size, sources.frequency_table.string());
  }
  if (!sources.reference_files.empty()) {
    TokenCounts table =
        cache.count(corpus_of(input, sources.reference_files), pipeline_of(input, "counting"));
    log_corpus_notes(table.notes, input.tokenizer, input.text, "pdl_reference_files");
    return table;
  }
  if (!data.train) {
    throw ConfigError(
        "train_files: needed to count frequencies; or give pdl_frequency_table or "
        "pdl_reference_files");
  }
  return {.counts = data.train_counts,
          .counted = Counted::kTargets,
          .tokenizer_sha256 = input.tokenizer == nullptr ? "" : input.tokenizer->sha256(),
          .corpus_sha256 = data.train->corpus().sha256};
}

}  // namespace

LossWeights load_loss_weights(const WeightSources& sources, const TextInput& input,
                              const Dataset& data, at::Device device, CountCache& cache) {
  TokenCounts table = load_table(sources, input, data, cache);
  std::vector<int32_t> special_ids =
      input.tokenizer == nullptr ? std::vector<int32_t>{} : input.tokenizer->special_ids();
  WeightTable weights(table.counts, sources.options, std::move(special_ids), device);
  if (sources.options.pdl_unseen == UnseenPolicy::kError) {
    if (data.train) require_seen(table.counts, data.train_counts, input.tokenizer, "training");
    if (data.eval) require_seen(table.counts, data.eval_counts, input.tokenizer, "evaluation");
  }
  return {std::move(table), std::move(weights)};
}

}  // namespace pdl
