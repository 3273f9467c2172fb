#include "parameters.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {
namespace {

int64_t count_elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

}  // namespace

FlatTensors::FlatTensors(const std::vector<TensorSpec>& tensors, const at::TensorOptions& options) {
  const auto alignment = static_cast<int64_t>(64 / options.dtype().itemsize());
  int64_t end = 0;
  for (const bool is_matrix : {true, false}) {
    for (const TensorSpec& tensor : tensors) {
      if ((tensor.shape.size() >= 2) != is_matrix) continue;
      if (!tensor.joins_previous) end = (end + alignment - 1) / alignment * alignment;
      places_[tensor.name] = {end, tensor.shape};
      end += count_elements(tensor.shape);
    }
  }
  buffer_ = at::zeros({end}, options);
}

at::Tensor FlatTensors::view(const std::string& name) const {
  const Place& place = places_.at(name);
  return buffer_.narrow(0, place.begin, count_elements(place.shape)).view(place.shape);
}

at::Tensor FlatTensors::joined(const std::vector<std::string>& names) const {
  const Place& first = places_.at(names.front());
  std::vector<int64_t> shape = first.shape;
  shape[0] = 0;
  int64_t end = first.begin;
  for (const std::string& name : names) {
    const Place& place = places_.at(name);
    if (place.begin != end)
      throw Error(ExitCode::kInternal, name + " does not follow the tensor before");
    shape[0] += place.shape[0];
    end += count_elements(place.shape);
  }
  return buffer_.narrow(0, first.begin, end - first.begin).view(shape);
}

TrainedTensors::TrainedTensors(std::vector<TensorSpec> tensors, const at::TensorOptions& options)
    : specs_(std::move(tensors)), flat_(specs_, options) {
  for (const TensorSpec& spec : specs_) values_.push_back(flat_.view(spec.name).detach());
}

void TrainedTensors::train() {
  std::vector<TensorSpec> trained;
  for (size_t begin = 0; begin < specs_.size();) {
    size_t end = begin + 1;
    while (end < specs_.size() && specs_[end].joins_previous) ++end;
    bool is_trained = false;
    for (size_t i = begin; i < end; ++i) is_trained = is_trained || values_[i].requires_grad();
    const auto is_fresh = std::make_shared<bool>(false);
    for (size_t i = begin; i < end && is_trained; ++i) {
      trained.push_back(specs_[i]);
      is_fresh_[specs_[i].name] = is_fresh;
    }
    begin = end;
  }
  if (!trained.empty())
    gradients_ = FlatTensors(trained, values_.front().options().dtype(at::kFloat));
}

Parameter TrainedTensors::find(const std::vector<std::string>& names) const {
  const bool is_there = std::ranges::any_of(
      specs_, [&](const TensorSpec& spec) { return spec.name == names.front(); });
  if (!is_there) return {};
  Parameter parameter{.value = flat_.joined(names)};
  const auto fresh = is_fresh_.find(names.front());
  if (fresh == is_fresh_.end()) return parameter;
  parameter.gradient = gradients_.joined(names);
  parameter.is_fresh = fresh->second;
  return parameter;
}

void TrainedTensors::begin_gradients() {
  for (size_t i = 0; i < specs_.size(); ++i) {
    if (!values_[i].requires_grad() || values_[i].grad().defined()) continue;
    values_[i].mutable_grad() = gradients_.view(specs_[i].name);
    *is_fresh_.at(specs_[i].name) = true;
  }
}

void TrainedTensors::end_gradients() {
  for (const auto& [name, is_fresh] : is_fresh_) {
    if (*is_fresh) gradients_.view(name).zero_();
  }
  for (const auto& [name, is_fresh] : is_fresh_) *is_fresh = false;
}

}  // namespace pdl
