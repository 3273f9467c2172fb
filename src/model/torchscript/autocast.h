// Switches LibTorch's autocast on for a scope. Matrix products and attention run in a 16-bit dtype,
// operators that need float32 do not, and parameters keep their dtype. On the CPU attention of up
// to 256 positions is float32, which is faster; so is all attention, and products are of rounded
// factors in float32, on a CPU for which LibTorch has plain loops alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace pdl {

enum class Bfloat16Products {
  kByLibTorch,
  kAsFloat32,  // rounded factors in float32, and the result rounded: with the same dtypes
};

// Which are faster on this CPU. Without AVX-512 LibTorch's take tens of times as long.
Bfloat16Products fastest_bfloat16_products();

// For one thread. Scopes nest: the 16-bit copies of parameters are kept until the outermost scope
// ends.
class Autocast {
 public:
  // Without a dtype nothing is cast in this scope, even inside one that casts.
  Autocast(at::Device device, std::optional<at::ScalarType> dtype,
           Bfloat16Products products = fastest_bfloat16_products());
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType device_type_;
  bool was_enabled_;
  at::ScalarType dtype_before_;
  Bfloat16Products products_before_;
};

}  // namespace pdl
