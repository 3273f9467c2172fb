#include "pdl/base/memory_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <new>

namespace pdl {
namespace {

size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

char* map_memory(char* where, size_t size, int protection, int flags) {
  void* memory =
      ::mmap(where, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, /*fd=*/-1, /*offset=*/0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

constexpr size_t kUnit = size_t{1} << 21;  // of what is asked of the system

// Returns where many addresses are free, as many as the machine has bytes if they can be had, so
// that regions can follow one another; null if there is no such place.
char* find_free_addresses() {
  auto size =
      static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  for (; size >= kUnit; size /= 2) {
    char* place = map_memory(nullptr, size, PROT_NONE, MAP_NORESERVE);
    if (place == nullptr) continue;
    ::munmap(place, size);
    return reinterpret_cast<char*>(round_up(reinterpret_cast<size_t>(place), kUnit));
  }
  return nullptr;
}

}  // namespace

MemoryPool::~MemoryPool() {
  for (const auto& [begin, size] : regions_) ::munmap(begin, size);
}

void* MemoryPool::allocate(size_t size) {
  if (size > std::numeric_limits<size_t>::max() / 2) return nullptr;
  const std::lock_guard lock(mutex_);
  size = round_up(size, kAlignment);
  try {
    auto found = smallest_free(size);
    if (found == free_.end()) {
      if (!grow(size)) return nullptr;
      found = smallest_free(size);
    }
    char* begin = found->first;
    used_.emplace(begin, size);
    Blocks::node_type rest = free_.extract(found);
    if (rest.mapped() > size) {
      rest.key() += size;
      rest.mapped() -= size;
      free_.insert(std::move(rest));
    }
    in_use_ += size;
    peak_ = std::max(peak_, in_use_);
    return begin;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

bool MemoryPool::free(void* block) noexcept {
  const std::lock_guard lock(mutex_);
  Blocks::node_type used = used_.extract(static_cast<char*>(block));
  if (used.empty()) return false;
  in_use_ -= used.mapped();
  add_free(std::move(used));
  return true;
}

size_t MemoryPool::size() const {
  const std::lock_guard lock(mutex_);
  size_t sum = 0;
  for (const auto& [begin, size] : regions_) sum += size;
  return sum;
}

size_t MemoryPool::in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

size_t MemoryPool::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

void MemoryPool::reset_peak() {
  const std::lock_guard lock(mutex_);
  peak_ = in_use_;
}

// There are some dozens of free blocks at most.
MemoryPool::Blocks::iterator MemoryPool::smallest_free(size_t size) {
  auto best = free_.end();
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    if (block->second < size) continue;
    if (best == free_.end() || block->second < best->second) best = block;
  }
  return best;
}

void MemoryPool::add_free(Blocks::node_type block) noexcept {
  auto after = free_.lower_bound(block.key());
  if (after != free_.end() && block.key() + block.mapped() == after->first) {
    block.mapped() += after->second;
    after = free_.erase(after);
  }
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == block.key()) {
      before->second += block.mapped();
      return;
    }
  }
  free_.insert(after, std::move(block));
}

// Makes a free block of at least `size` bytes, of what is free at the end of the last region and of
// new memory. The system may place that elsewhere; then it must be all of the block.
bool MemoryPool::grow(size_t size) {
  Blocks fresh{{nullptr, 0}};  // before the system gives memory, which shall not be lost
  regions_.reserve(regions_.size() + 1);
  if (next_ == nullptr) next_ = find_free_addresses();
  size_t at_end = 0;
  if (!free_.empty()) {
    const auto& [begin, last_size] = *free_.rbegin();
    if (begin + last_size == next_) at_end = last_size;
  }
  size_t wanted = round_up(size - at_end, kUnit);
  char* memory = map_memory(next_, wanted, PROT_READ | PROT_WRITE, 0);
  if (memory != nullptr && memory != next_ && at_end > 0) {
    ::munmap(memory, wanted);
    wanted = round_up(size, kUnit);
    memory = map_memory(nullptr, wanted, PROT_READ | PROT_WRITE, 0);
  }
  if (memory == nullptr) return false;
  ::madvise(memory, wanted, MADV_HUGEPAGE);
  regions_.emplace_back(memory, wanted);
  next_ = memory + wanted;
  Blocks::node_type block = fresh.extract(fresh.begin());
  block.key() = memory;
  block.mapped() = wanted;
  add_free(std::move(block));
  return true;
}

}  // namespace pdl
