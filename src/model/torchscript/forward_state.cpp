#include "forward_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "pdl/base/error.h"

namespace pdl {
namespace {

using Object = c10::intrusive_ptr<c10::ivalue::Object>;
using Path = std::vector<std::string>;  // the names from the program to an attribute

// Returns false for the object of a script class that the method itself makes: it ends with the
// call.
bool find_path(const torch::jit::Value* object, const torch::jit::Value* program, Path& path) {
  if (object == program) return true;
  const torch::jit::Node* node = object->node();
  if (node->kind() != c10::prim::GetAttr) return false;
  if (!find_path(node->input(0), program, path)) return false;
  path.push_back(node->s(c10::attr::name));
  return true;
}

void find_assigned(at::ArrayRef<const torch::jit::Block*> blocks, const torch::jit::Value* program,
                   std::vector<Path>& paths) {
  for (const torch::jit::Block* block : blocks) {
    for (const torch::jit::Node* node : block->nodes()) {
      find_assigned(node->blocks(), program, paths);
      if (node->kind() != c10::prim::SetAttr) continue;
      Path path;
      if (!find_path(node->input(0), program, path)) continue;
      path.push_back(node->s(c10::attr::name));
      paths.push_back(std::move(path));
    }
  }
}

// Returns what a method assigns, here or in the methods that it calls.
std::vector<Path> assigned_paths(const torch::jit::Module& program, const std::string& method) {
  const auto graph = program.get_method(method).graph()->copy();
  torch::jit::Inline(*graph);
  std::vector<Path> paths;
  const torch::jit::Block* block = graph->block();
  find_assigned({block}, graph->inputs().at(0), paths);
  return paths;
}

// Of other layouts than the usual one no values are compared.
bool equal_tensors(const at::Tensor& one, const at::Tensor& other) {
  if (!one.defined() || !other.defined()) return one.defined() == other.defined();
  if (one.layout() != at::kStrided) return one.layout() == other.layout();
  return one.scalar_type() == other.scalar_type() && one.sizes() == other.sizes() &&
         at::equal(one, other);
}

std::string joined(const Path& path) {
  std::string name;
  for (const std::string& part : path) name += (name.empty() ? "" : ".") + part;
  return name;
}

bool equal_values(const c10::IValue& one, const c10::IValue& other);

template <class Values>
bool equal_lists(const Values& one, const Values& other) {
  return std::ranges::equal(one, other, equal_values);
}

bool equal_values(const c10::IValue& one, const c10::IValue& other) {
  if (one.tagKind() != other.tagKind()) return false;
  if (one.isTensor()) return equal_tensors(one.toTensor(), other.toTensor());
  if (one.isDouble() && std::isnan(one.toDouble())) return std::isnan(other.toDouble());
  if (one.isList()) return equal_lists(one.toListRef(), other.toListRef());
  if (one.isTuple()) {
    return equal_lists(one.toTupleRef().elements().vec(), other.toTupleRef().elements().vec());
  }
  if (one.isObject()) {
    return equal_lists(one.toObjectRef().slots(), other.toObjectRef().slots());
  }
  if (one.isGenericDict()) {
    const auto others = other.toGenericDict();
    if (one.toGenericDict().size() != others.size()) return false;
    for (const auto& item : one.toGenericDict()) {
      const auto found = others.find(item.key());
      if (found == others.end() || !equal_values(item.value(), found->value())) return false;
    }
    return true;
  }
  return one.isPtrType() && !one.isString() ? one.is(other) : one == other;
}

// Returns a copy that a change of `value` does not reach. An object of a C++ class may have none.
c10::IValue content_of(const c10::IValue& value) {
  if (value.isTensor()) {
    return value.toTensor().defined() ? value.toTensor().detach().clone() : value;
  }
  try {
    return value.deepcopy();
  } catch (const c10::Error&) {
    return value;
  }
}

bool is_tensor(const c10::IValue& value) { return value.isTensor() && value.toTensor().defined(); }

bool is_number(const c10::IValue& value) {
  return value.isInt() || value.isDouble() || value.isBool();
}

at::Tensor number_tensor(const c10::IValue& number) {
  const at::ScalarType dtype =
      number.isInt() ? at::kLong : (number.isDouble() ? at::kDouble : at::kBool);
  return at::empty({}, dtype).fill_(number.toScalar());
}

c10::IValue number_of(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kLong) return tensor.item<int64_t>();
  if (tensor.scalar_type() == at::kDouble) return tensor.item<double>();
  return tensor.item<bool>();
}

}  // namespace

ForwardState::ForwardState(const torch::jit::Module& program,
                           const std::vector<std::string>& methods, std::string model)
    : model_(std::move(model)) {
  list(program._ivalue(), "");
  for (const std::string& method : methods) {
    for (const Path& path : assigned_paths(program, method)) {
      Object owner = program._ivalue();
      for (size_t i = 0; i + 1 < path.size(); ++i) owner = owner->getAttr(path[i]).toObject();
      const size_t slot = owner->type()->getAttributeSlot(path.back());
      const auto found = std::ranges::find_if(attributes_, [&](const Attribute& attribute) {
        return attribute.owner == owner && attribute.slot == slot;
      });
      if (found == attributes_.end()) {
        const bool is_own = owner->type()->is_module();  // else it is an object of a script class
        refuse({.name = joined(path), .owner = owner, .slot = slot},
               is_own ? ", which only training itself may do"
                      : ": no checkpoint can hold a member of an object; make it a buffer");
      }
      separate(*found);
      add(*found);
    }
  }
}

// A submodule may be reached by several names.
void ForwardState::list(const Object& module, const std::string& prefix) {
  const auto type = module->type();
  const bool is_known = std::ranges::any_of(
      attributes_, [&](const Attribute& attribute) { return attribute.owner == module; });
  if (is_known) return;
  for (size_t slot = 0; slot < type->numAttributes(); ++slot) {
    const std::string name = prefix + type->getAttributeName(slot);
    if (type->getAttribute(slot)->is_module()) {
      list(module->getSlot(slot).toObject(), name + ".");
    } else if (!type->is_parameter(slot) && type->getAttributeName(slot) != "training") {
      attributes_.push_back(
          {.name = name, .owner = module, .slot = slot, .is_buffer = type->is_buffer(slot)});
      const c10::IValue value = module->getSlot(slot);
      if (is_tensor(value)) {
        attributes_.back().version = value.toTensor()._version();
      }
    }
  }
}

void ForwardState::add(Attribute& attribute) {
  if (attribute.is_state()) return;
  const c10::IValue value = attribute.value();
  at::Tensor tensor;
  attribute.is_number = is_number(value);
  if (attribute.is_number) {
    tensor = number_tensor(value);
  } else if (is_tensor(value)) {
    tensor = value.toTensor();
  } else {
    refuse(attribute, ": no checkpoint can hold its type " +
                          attribute.owner->type()->getAttribute(attribute.slot)->repr_str() +
                          "; make it a buffer, or compute it anew in each call");
  }
  attribute.position = std::ssize(tensors_);
  tensors_.push_back({attribute.name, tensor, {}});
}

// Two names may stand for one tensor until one of them is assigned.
void ForwardState::separate(const Attribute& attribute) const {
  const c10::IValue value = attribute.value();
  if (!value.isTensor()) return;
  const auto holders = std::ranges::count_if(attributes_, [&](const Attribute& other) {
    return other.value().isTensor() && other.value().toTensor().is_same(value.toTensor());
  });
  if (holders > 1) attribute.owner->setSlot(attribute.slot, value.toTensor().detach().clone());
}

AttributeValues ForwardState::copy() const {
  AttributeValues copies;
  for (const Attribute& attribute : attributes_) {
    copies.values.push_back(attribute.value());
    copies.contents.push_back(content_of(copies.values.back()));
  }
  return copies;
}

void ForwardState::restore(const AttributeValues& before) const {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < attributes_.size(); ++i) {
    const Attribute& attribute = attributes_[i];
    const c10::IValue& value = before.values[i];
    const c10::IValue& content = before.contents[i];
    if (is_tensor(value)) {
      if (!equal_values(value, content)) value.toTensor().copy_(content.toTensor());
      attribute.owner->setSlot(attribute.slot, value);
    } else {
      attribute.owner->setSlot(attribute.slot, content_of(content));  // the content is used again
    }
  }
}

void ForwardState::add_changes(const AttributeValues& before) {
  for (size_t i = 0; i < attributes_.size(); ++i) {
    Attribute& attribute = attributes_[i];
    if (attribute.is_state() || equal_values(before.contents[i], attribute.value())) continue;
    attribute.owner->setSlot(attribute.slot, before.values[i]);  // the tensor that stays
    add(attribute);
  }
}

// All values are read before the first is written: one attribute may have got what another held.
void ForwardState::pull() {
  std::vector<at::Tensor> assigned(tensors_.size());
  for (Attribute& attribute : attributes_) {
    const c10::IValue value = attribute.value();
    if (attribute.is_state()) {
      assigned[static_cast<size_t>(attribute.position)] = assigned_tensor(attribute, value);
    } else if (is_tensor(value) && value.toTensor()._version() != attribute.version) {
      // It is a part of the state from the next step on.
      if (!attribute.is_buffer) refuse(attribute, ", but not in its first call; make it a buffer");
      add(attribute);
    }
  }
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < assigned.size(); ++i) {
    if (assigned[i].defined()) tensors_[i].tensor.copy_(assigned[i]);
  }
  push();
}

// Returns a copy of what the program holds now; undefined if that is the state's own tensor.
at::Tensor ForwardState::assigned_tensor(const Attribute& attribute,
                                         const c10::IValue& value) const {
  const at::Tensor& held = tensors_[static_cast<size_t>(attribute.position)].tensor;
  if (attribute.is_number) return number_tensor(value);
  if (!is_tensor(value)) refuse(attribute, " to no tensor, which no checkpoint can hold");
  const at::Tensor tensor = value.toTensor();
  if (tensor.is_same(held)) return {};
  if (tensor.sizes() != held.sizes() || tensor.scalar_type() != held.scalar_type()) {
    refuse(attribute, " to another shape or dtype, which no checkpoint can hold");
  }
  return tensor.detach().clone();
}

void ForwardState::push() {
  for (Attribute& attribute : attributes_) {
    if (attribute.is_state()) {
      const at::Tensor& held = tensors_[static_cast<size_t>(attribute.position)].tensor;
      attribute.owner->setSlot(attribute.slot,
                               attribute.is_number ? number_of(held) : c10::IValue(held));
    } else if (is_tensor(attribute.value())) {
      attribute.version = attribute.value().toTensor()._version();  // written from outside
    }
  }
}

void ForwardState::refuse(const Attribute& attribute, const std::string& why) const {
  throw ModelError(model_ + " changes the attribute '" + attribute.name + "' in forward" + why);
}

}  // namespace pdl
