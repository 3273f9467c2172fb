// What a model wrote, and why it ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pdl {

// Why a sample ends. What is named first is tested first, at each token.
enum class FinishReason {
  kEos,
  kStop,       // a stop token, or a stop string is in the text
  kLength,     // max_new_tokens
  kMaxLength,  // max_length
};

std::string_view name_of(FinishReason reason);  // as it is written: "eos", "max_length"

// A continuation of a prompt.
struct Sample {
  int64_t prompt_index = 0;  // from 0
  int64_t sample = 0;        // of this prompt, from 0
  std::vector<int32_t> ids;  // generated, with the token that ended the sample
  // Of each id: ln softmax, in float64, of the model's own logits, before bias, penalties,
  // temperature and filters.
  std::vector<double> logprobs;
  // decode(prompt + ids) without decode(prompt), without the eos or stop token that ended the
  // sample, up to the first stop string.
  std::string text;
  FinishReason finish_reason = FinishReason::kLength;
};

// Returns the sample as one JSON object on one line, without a line feed: prompt_index, sample,
// prompt, text, ids, logprobs, finish_reason, seed. What is not UTF-8 is replaced.
std::string to_json(const Sample& sample, const std::string& prompt, uint64_t seed);

}  // namespace pdl
