#include "pdl/kernels/cpu_kernels.h"
#include <string>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernel_sets.h"

namespace pdl {
namespace {

std::vector<InstructionSet> find_supported() {
  std::vector<InstructionSet> sets{InstructionSet::kPortable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sets.push_back(InstructionSet::kAvx2);
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    sets.push_back(InstructionSet::kAvx512);
  }
#endif
  return sets;
}

}  // namespace

std::span<const InstructionSet> supported_instruction_sets() {
  static const std::vector<InstructionSet> sets = find_supported();
  return sets;
}

const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPortable:
      return "portable";
    case InstructionSet::kAvx2:
      return "AVX2";
    case InstructionSet::kAvx512:
      return "AVX-512";
  }
  return "unknown";
}

bool has_bfloat16_instructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return true;
#endif
}

const CpuKernels& cpu_kernels(InstructionSet set) {
  const auto supported = supported_instruction_sets();
  if (std::find(supported.begin(), supported.end(), set) == supported.end()) {
    throw std::invalid_argument(std::string("this CPU has no ") + name_of(set));
  }
#if defined(__x86_64__)
  if (set == InstructionSet::kAvx512) return kAvx512Kernels;
  if (set == InstructionSet::kAvx2) return kAvx2Kernels;
#endif
  return kPortableKernels;
}

const CpuKernels& cpu_kernels() { return cpu_kernels(supported_instruction_sets().back()); }

}  // namespace pdl
