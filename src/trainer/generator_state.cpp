#include "generator_state.h"

#include <ATen/Context.h>

#include <mutex>

namespace pdl {
namespace {

std::vector<at::Generator> generators(at::Device device) {
  std::vector<at::Generator> all = {at::globalContext().defaultGenerator(at::kCPU)};
  if (device.type() != at::kCPU) all.push_back(at::globalContext().defaultGenerator(device));
  return all;
}

}  // namespace

std::vector<NamedTensor> generator_states(at::Device device) {
  std::vector<NamedTensor> states;
  for (at::Generator& generator : generators(device)) {
    const std::lock_guard lock(generator.mutex());
    const std::string type = c10::DeviceTypeName(generator.device().type(), /*lower_case=*/true);
    states.push_back({"generator." + type, generator.get_state(), {}});
  }
  return states;
}

void restore_generator_states(at::Device device, const std::vector<NamedTensor>& states) {
  std::vector<at::Generator> all = generators(device);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::lock_guard lock(all[i].mutex());
    all[i].set_state(states[i].tensor);
  }
}

}  // namespace pdl
