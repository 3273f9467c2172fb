#include "pdl/generation/sampling/sample.h"

#include <nlohmann/json.hpp>

namespace pdl {

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return "eos";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kMaxLength:
      return "max_length";
  }
  return "unknown";
}

std::string to_json(const Sample& sample, const std::string& prompt, uint64_t seed) {
  nlohmann::ordered_json object;
  object["prompt_index"] = sample.prompt_index;
  object["sample"] = sample.sample;
  object["prompt"] = prompt;
  object["text"] = sample.text;
  object["ids"] = sample.ids;
  object["logprobs"] = sample.logprobs;
  object["finish_reason"] = name_of(sample.finish_reason);
  object["seed"] = seed;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace pdl
