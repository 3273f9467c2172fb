#include "decoder_weights.h"

#include <algorithm>

namespace pdl {
namespace {

std::vector<TensorSpec> specs_of(const std::vector<StoredTensor>& stored) {
  std::vector<TensorSpec> specs;
  for (const StoredTensor& tensor : stored) specs.push_back(tensor.spec);
  return specs;
}

// The tensors that one product reads.
std::vector<std::vector<size_t>> groups_of(const std::vector<StoredTensor>& stored) {
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].spec.joins_previous) groups.emplace_back();
    groups.back().push_back(i);
  }
  return groups;
}

}  // namespace

DecoderWeights::DecoderWeights(const StoredWeights& stored, at::Device device,
                               const std::vector<std::string>& freeze)
    : stored_(stored.tensors), weights_(specs_of(stored.tensors), device) {
  std::vector<NamedTensor> parameters;
  for (size_t i = 0; i < stored_.size(); ++i) {
    const StoredTensor& tensor = stored_[i];
    index_[tensor.spec.name] = i;
    values_.push_back(weights_.view(tensor.spec.name).detach().set_requires_grad(true));
    stored.store.read({tensor.file_name, tensor.spec.shape, 0, values_.back()});
    parameters.push_back({tensor.file_name, values_.back(), tensor.file_aliases});
  }
  parameters_ = part_parameters(parameters, freeze);
  train_groups(groups_of(stored_), device);
}

void DecoderWeights::train_groups(const std::vector<Group>& groups, at::Device device) {
  std::vector<TensorSpec> trained;
  for (const Group& group : groups) {
    const bool is_trained =
        std::ranges::any_of(group, [&](size_t i) { return values_[i].requires_grad(); });
    if (!is_trained) continue;
    const auto is_fresh = std::make_shared<bool>(false);
    for (const size_t i : group) {
      trained.push_back(stored_[i].spec);
      is_fresh_[stored_[i].spec.name] = is_fresh;
    }
  }
  gradients_ = FlatTensors(trained, device);
}

Parameter DecoderWeights::find(const std::vector<std::string>& names) const {
  if (!index_.contains(names.front())) return {};
  Parameter parameter{.value = weights_.joined(names)};
  const auto fresh = is_fresh_.find(names.front());
  if (fresh == is_fresh_.end()) return parameter;
  parameter.gradient = gradients_.joined(names);
  parameter.is_fresh = fresh->second;
  return parameter;
}

void DecoderWeights::begin_gradients() {
  for (size_t i = 0; i < stored_.size(); ++i) {
    if (!values_[i].requires_grad() || values_[i].grad().defined()) continue;
    values_[i].mutable_grad() = gradients_.view(stored_[i].spec.name);
    *is_fresh_.at(stored_[i].spec.name) = true;
  }
}

void DecoderWeights::end_gradients() {
  for (const auto& [name, is_fresh] : is_fresh_) {
    if (*is_fresh) gradients_.view(name).zero_();
  }
  for (const auto& [name, is_fresh] : is_fresh_) *is_fresh = false;
}

std::vector<NamedTensor> DecoderWeights::as_stored() const {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < stored_.size(); ++i) {
    const at::Tensor value = values_[i].detach().to(stored_[i].dtype);
    tensors.push_back({stored_[i].file_name, value, {}});
    for (const std::string& alias : stored_[i].file_aliases) tensors.push_back({alias, value, {}});
  }
  std::ranges::sort(tensors, {}, &NamedTensor::name);  // as transformers writes them
  return tensors;
}

}  // namespace pdl
