#include "device_memory.h"

#include <ATen/DeviceAccelerator.h>

namespace pdl {

std::optional<double> peak_memory_gb(at::Device device) {
  if (device.is_cpu()) return std::nullopt;
  constexpr auto kAggregate = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto stats = at::accelerator::getDeviceStats(device.index());
  return static_cast<double>(stats.allocated_bytes[kAggregate].peak) / 1e9;
}

}  // namespace pdl
