#include "pdl/model/language_model.h"

#include "pdl/base/error.h"
#include "pdl/base/regex.h"

namespace pdl {
namespace {

bool matches(const NamedTensor& parameter, const Regex& expression) {
  if (expression.search(parameter.name)) return true;
  for (const std::string& alias : parameter.aliases) {
    if (expression.search(alias)) return true;
  }
  return false;
}

}  // namespace

void freeze_parameters(LanguageModel& model, const std::vector<std::string>& expressions) {
  for (const std::string& expression : expressions) {
    const Regex compiled(expression);
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
