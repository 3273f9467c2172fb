#include "pdl/kernels/cpu_kernels.h"
#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernel_sets.h"

namespace pdl {
namespace {

#if defined(__x86_64__)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// Whether there are tiles of bfloat16, which a process must ask Linux for: its threads need more
// space to be saved (Documentation/arch/x86/xstate.rst).
bool may_use_amx() {
  unsigned int a = 0;
  unsigned int b = 0;
  unsigned int c = 0;
  unsigned int d = 0;
  constexpr unsigned int kBfloat16Tiles = (1u << 22) | (1u << 24);
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kBfloat16Tiles) != kBfloat16Tiles)
    return false;
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

std::vector<InstructionSet> find_supported() {
  std::vector<InstructionSet> sets{InstructionSet::kPortable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sets.push_back(InstructionSet::kAvx2);
  }
  if (has_avx512()) sets.push_back(InstructionSet::kAvx512);
  if (has_avx512() && __builtin_cpu_supports("avx512bf16")) {
    sets.push_back(InstructionSet::kAvx512Bf16);
    if (may_use_amx()) sets.push_back(InstructionSet::kAmx);
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
    case InstructionSet::kAvx512Bf16:
      return "AVX-512 BF16";
    case InstructionSet::kAmx:
      return "AMX";
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
  if (set == InstructionSet::kAmx) return kAmxKernels;
  if (set == InstructionSet::kAvx512Bf16) return kAvx512Bf16Kernels;
  if (set == InstructionSet::kAvx512) return kAvx512Kernels;
  if (set == InstructionSet::kAvx2) return kAvx2Kernels;
#endif
  return kPortableKernels;
}

const CpuKernels& cpu_kernels() { return cpu_kernels(supported_instruction_sets().back()); }

}  // namespace pdl
