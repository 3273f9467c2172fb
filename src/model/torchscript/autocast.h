// Switches LibTorch's autocast on for a scope. Matrix products and attention run in a 16-bit dtype,
// operators that need float32 do not, and parameters keep their dtype. On the CPU attention of up
// to 256 positions is float32, which is faster.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace pdl {

// For one thread. Scopes nest: the 16-bit copies of parameters are kept until the outermost scope
// ends.
class Autocast {
 public:
  // Without a dtype nothing is cast in this scope, even inside one that casts.
  Autocast(at::Device device, std::optional<at::ScalarType> dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType device_type_;
  bool was_enabled_;
  at::ScalarType dtype_before_;
};

}  // namespace pdl
