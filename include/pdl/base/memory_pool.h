// Large blocks of memory that come and go in the same sizes, as the tensors of every step do.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace pdl {

// Gives out the smallest free block that is large enough, or a part of it, and joins what is freed
// with its free neighbours. Memory is asked of the system only if no block is large enough, and
// never returned, so that each page is faulted in and zeroed once.
//
// malloc cannot do that: for an aligned block glibc 2.36 looks for the size and the alignment
// together, so that a freed block often cannot serve a request of its own size, and what steps of
// training hold grew by up to half of their activations.
//
// Thread-safe.
class MemoryPool {
 public:
  static constexpr size_t kAlignment = 64;  // of blocks: a cache line

  MemoryPool() = default;
  ~MemoryPool();  // every block must have been freed
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // Returns at least `size` > 0 bytes of any content, or null if the system has no memory.
  void* allocate(size_t size);
  // Takes back a block of allocate(), without needing memory for that. Returns false for anything
  // else, and does nothing.
  bool free(void* block) noexcept;

  // What has been asked of the system so far, in bytes.
  size_t size() const;
  // What blocks take now, and the most that they took at once since reset_peak(), in bytes.
  size_t in_use() const;
  size_t peak() const;
  void reset_peak();

 private:
  using Blocks = std::map<char*, size_t>;

  Blocks::iterator smallest_free(size_t size);
  void add_free(Blocks::node_type block) noexcept;
  bool grow(size_t size);

  mutable std::mutex mutex_;
  Blocks free_;
  Blocks used_;
  size_t in_use_ = 0;
  size_t peak_ = 0;
  std::vector<std::pair<char*, size_t>> regions_;  // what the system gave
  char* next_ = nullptr;                           // where more is asked for: after the last region
};

}  // namespace pdl
