// What a TorchScript program changes by itself: buffers that it writes in place, and attributes
// that it assigns (`self.count = self.count + 1`).
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/api/module.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pdl/tensors/named_tensor.h"

namespace pdl {

// The attributes of a program at one time, but for its parameters.
struct AttributeValues {
  std::vector<c10::IValue> values;    // as the program holds them
  std::vector<c10::IValue> contents;  // copies that share no memory with it
};

// A program keeps what it assigns as a new tensor or number each time. Here every state has one
// tensor that stays, for checkpoints and for undoing a step: a tensor attribute that of the file, a
// number or truth value one of shape [] on the CPU.
class ForwardState {
 public:
  // Finds the attributes that `methods` of the program, or what they call, assign. `model` begins
  // the messages. Throws ModelError, with the name, for one that is no tensor, number or truth
  // value.
  ForwardState(const torch::jit::Module& program, const std::vector<std::string>& methods,
               std::string model);

  AttributeValues copy() const;
  void restore(const AttributeValues& before) const;
  // Adds the attributes that changed since `before` to the state. Throws ModelError, with the name,
  // for one whose change no tensor can hold.
  void add_changes(const AttributeValues& before);

  // The tensors of the state, by the name of their attribute.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }

  // Copies what was assigned into the tensors. Backward must be done, because it may need what they
  // held. Throws ModelError for a tensor that was assigned with another shape or dtype.
  void pull();
  // Makes the program read the tensors.
  void push();

 private:
  struct Attribute {
    std::string name;  // with those of the submodules: "norm.running_mean"
    c10::intrusive_ptr<c10::ivalue::Object> owner;
    size_t slot = 0;
    bool is_buffer = false;
    bool is_number = false;  // else a tensor; of a part of the state
    int64_t version = 0;     // of a tensor: counts the writes in place up to the last look
    int64_t position = -1;   // in tensors_; -1: no part of the state

    c10::IValue value() const { return owner->getSlot(slot); }
    bool is_state() const { return position >= 0; }
  };

  void list(const c10::intrusive_ptr<c10::ivalue::Object>& module, const std::string& prefix);
  void separate(const Attribute& attribute) const;
  void add(Attribute& attribute);
  at::Tensor assigned_tensor(const Attribute& attribute, const c10::IValue& value) const;
  [[noreturn]] void refuse(const Attribute& attribute, const std::string& why) const;

  std::string model_;
  std::vector<Attribute> attributes_;
  std::vector<NamedTensor> tensors_;
};

}  // namespace pdl
