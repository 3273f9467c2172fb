#include "pdl/model/parameter_set.h"

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

void freeze_matching(const std::vector<NamedTensor>& parameters, const std::string& expression) {
  const Regex compiled(expression);
  bool found = false;
  for (const NamedTensor& parameter : parameters) {
    if (!matches(parameter, compiled)) continue;
    parameter.tensor.set_requires_grad(false);
    found = true;
  }
  if (found) return;
  throw ConfigError("freeze: \"" + expression + "\" matches no parameter; the first is '" +
                    parameters.front().name + "'");
}

}  // namespace

std::vector<NamedTensor> ParameterSet::all() const {
  std::vector<NamedTensor> all = trained;
  all.insert(all.end(), frozen.begin(), frozen.end());
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
}

ParameterSet part_parameters(const std::vector<NamedTensor>& parameters,
                             const std::vector<std::string>& freeze) {
  for (const std::string& expression : freeze) freeze_matching(parameters, expression);
  ParameterSet parts;
  for (const NamedTensor& parameter : parameters) {
    (parameter.tensor.requires_grad() ? parts.trained : parts.frozen).push_back(parameter);
  }
  if (parts.trained.empty() && !freeze.empty()) {
    throw ConfigError("freeze: every parameter is frozen, so there is nothing to train");
  }
  return parts;
}

int64_t count_elements(const std::vector<NamedTensor>& tensors) {
  int64_t count = 0;
  for (const NamedTensor& named : tensors) count += named.tensor.numel();
  return count;
}

}  // namespace pdl
