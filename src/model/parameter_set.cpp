#include "pdl/model/parameter_set.h"

#include <algorithm>
#include <utility>

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

bool elements_share_memory(const at::Tensor& tensor) {
  std::vector<std::pair<int64_t, int64_t>> dimensions;  // stride, size
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    if (tensor.size(i) == 0) return false;
    if (tensor.size(i) > 1) dimensions.emplace_back(tensor.stride(i), tensor.size(i));
  }
  std::ranges::sort(dimensions);
  int64_t extent = 1;  // elements from the first to the last of the dimensions so far
  for (const auto& [stride, size] : dimensions) {
    if (stride < extent) return true;
    extent += stride * (size - 1);
  }
  return false;
}

int64_t count_elements(const std::vector<NamedTensor>& tensors) {
  int64_t count = 0;
  for (const NamedTensor& named : tensors) count += named.tensor.numel();
  return count;
}

}  // namespace pdl
