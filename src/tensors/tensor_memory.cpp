#include "pdl/tensors/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include "pdl/base/memory_pool.h"

namespace pdl {
namespace {

// Lives as long as the process, since tensors do.
MemoryPool& pool() {
  static auto* const instance = new MemoryPool;
  return *instance;
}

// For blocks of either allocator, as the raw interface gives them out.
void free_block(void* block) {
  if (!pool().free(block)) c10::GetDefaultCPUAllocator()->raw_deallocate(block);
}

class PoolAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    constexpr size_t kLeast = size_t{1} << 16;  // below it malloc wastes little
    if (size < kLeast) return data_at(c10::GetDefaultCPUAllocator()->raw_allocate(size));
    void* block = pool().allocate(size);
    TORCH_CHECK_WITH(OutOfMemoryError, block != nullptr, "can't allocate memory: ", size, " bytes");
    return data_at(block);
  }
  c10::DeleterFnPtr raw_deleter() const override { return free_block; }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }

 private:
  static c10::DataPtr data_at(void* block) {
    return {block, block, free_block, c10::Device(c10::kCPU)};
  }
};

}  // namespace

void pool_tensor_memory() {
  static auto* const allocator = new PoolAllocator;  // as the pool
  c10::SetCPUAllocator(allocator);
}

int64_t tensor_bytes() { return static_cast<int64_t>(pool().in_use()); }

int64_t peak_tensor_bytes() { return static_cast<int64_t>(pool().peak()); }

void reset_peak_tensor_bytes() { pool().reset_peak(); }

}  // namespace pdl
