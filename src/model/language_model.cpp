#include "pdl/model/language_model.h"

#include <regex>

#include "pdl/base/error.h"

namespace pdl {
namespace {

bool matches(const NamedTensor& parameter, const std::regex& expression) {
  if (std::regex_search(parameter.name, expression)) return true;
  for (const std::string& alias : parameter.aliases) {
    if (std::regex_search(alias, expression)) return true;
  }
  return false;
}

}  // namespace

void freeze_parameters(LanguageModel& model, const std::vector<std::string>& expressions) {
  for (const std::string& expression : expressions) {
    const std::regex compiled(expression);
    bool found = false;
    for (const NamedTensor& parameter : model.parameters()) {
      if (!matches(parameter, compiled)) continue;
      parameter.tensor.set_requires_grad(false);
      found = true;
    }
    if (!found) {
      throw ConfigError("freeze: \"" + expression + "\" matches no parameter; the first is '" +
                        model.parameters().front().name + "'");
    }
  }
  if (count_parameters(model, true) == 0) {
    throw ConfigError("freeze: every parameter is frozen, so there is nothing to train");
  }
}

int64_t count_parameters(const LanguageModel& model, bool trainable_only) {
  int64_t count = 0;
  for (const NamedTensor& parameter : model.parameters()) {
    if (!trainable_only || parameter.tensor.requires_grad()) count += parameter.tensor.numel();
  }
  return count;
}

}  // namespace pdl
