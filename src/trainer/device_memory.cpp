#include "pdl/trainer/device_memory.h"

#include <ATen/DeviceAccelerator.h>

#include "pdl/tensors/tensor_memory.h"

namespace pdl {
namespace {

c10::CachingAllocator::Stat stat_of(at::Device device) {
  constexpr auto kAggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAggregate];
}

}  // namespace

std::optional<double> peak_memory_gb(at::Device device) {
  if (device.is_cpu()) return std::nullopt;
  return static_cast<double>(stat_of(device).peak) / 1e9;
}

MemoryMeasurement::MemoryMeasurement(at::Device device)
    : device_(device), before_(device.is_cpu() ? tensor_bytes() : stat_of(device).current) {
  if (device.is_cpu()) {
    reset_peak_tensor_bytes();
  } else {
    at::accelerator::resetPeakStats(device.index());
  }
}

int64_t MemoryMeasurement::peak() const {
  return (device_.is_cpu() ? peak_tensor_bytes() : stat_of(device_).peak) - before_;
}

}  // namespace pdl
