// Continues prompts with a model, token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/generation/sampling/sample.h"
#include "pdl/generation/sampling/sampling.h"
#include "pdl/model/language_model.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// How many samples there are, how their tokens are chosen, and what ends them.
struct GenerationOptions {
  SamplingOptions sampling;
  uint64_t seed = 42;                  // of the noise, if there is a temperature
  int64_t max_new_tokens = 128;        // >= 1
  int64_t min_new_tokens = 0;          // until then no eos and no stop token is chosen
  int64_t max_length = 0;              // most ids of prompt and sample together; 0: any
  int64_t num_return_sequences = 1;    // samples of each prompt
  int64_t batch_size = 8;              // samples at once
  std::vector<int32_t> eos_ids = {};   // that end a sample; it holds the one that did
  std::vector<int32_t> stop_ids = {};  // likewise
  std::vector<std::string> stop_strings = {};
  std::vector<float> logit_bias = {};  // [V], added to the logits first; empty: none
};

// Whom generate() tells. on_sample gets every sample, in the order of prompts, then samples.
// on_text gets the text of the sample as it grows, in whole characters, none of which could begin a
// stop string: only if there is one sample.
struct GenerationSinks {
  std::function<void(const Sample&)> on_sample;
  std::function<void(std::string_view)> on_text = {};
};

// Continues each prompt, of at least one id in [0, V). A sample depends on the logits, its prompt's
// ids, its number and the options: not on the other prompts, their order, the batch or the threads.
// On the CPU the logits do not either.
//
// The model must be in evaluation mode. Throws DataError, with index and length, for a prompt of
// max_length ids or more, before anything is generated, and NumericError for logits that are NaN.
void generate(LanguageModel& model, const Tokenizer& tokenizer,
              std::span<const std::vector<int32_t>> prompts, const GenerationOptions& options,
              const GenerationSinks& sinks);

}  // namespace pdl
