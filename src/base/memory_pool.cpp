#include "pdl/base/memory_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace pdl {
namespace {

size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

char* map_memory(char* where, size_t size, int protection, int flags) {
  void* memory =
      ::mmap(where, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, /*fd=*/-1, /*offset=*/0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

// Returns where as much addresses are free as the machine has memory, so that regions can follow
// one another; null if there is no such place.
char* find_free_addresses() {
  const auto size =
      static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  char* place = map_memory(nullptr, size, PROT_NONE, MAP_NORESERVE);
  if (place != nullptr) ::munmap(place, size);
  return place;
}

}  // namespace

MemoryPool::~MemoryPool() {
  for (const auto& [begin, size] : regions_) ::munmap(begin, size);
}

void* MemoryPool::allocate(size_t size) {
  if (size > std::numeric_limits<size_t>::max() / 2) return nullptr;
  const std::lock_guard lock(mutex_);
  size = round_up(size, kAlignment);
  auto found = free_by_size_.lower_bound({size, nullptr});
  if (found == free_by_size_.end()) {
    if (!grow(size)) return nullptr;
    found = free_by_size_.lower_bound({size, nullptr});
  }
  const auto [free_size, begin] = *found;
  remove_free(free_.find(begin));
  if (free_size > size) add_free(begin + size, free_size - size);
  used_.emplace(begin, size);
  in_use_ += size;
  peak_ = std::max(peak_, in_use_);
  return begin;
}

bool MemoryPool::free(void* block) {
  const std::lock_guard lock(mutex_);
  const auto found = used_.find(static_cast<char*>(block));
  if (found == used_.end()) return false;
  in_use_ -= found->second;
  add_free(found->first, found->second);
  used_.erase(found);
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

void MemoryPool::add_free(char* begin, size_t size) {
  const auto after = free_.lower_bound(begin);
  if (after != free_.end() && begin + size == after->first) {
    size += after->second;
    remove_free(after);
  }
  const auto behind = free_.lower_bound(begin);
  if (behind != free_.begin()) {
    const auto before = std::prev(behind);
    if (before->first + before->second == begin) {
      begin = before->first;
      size += before->second;
      remove_free(before);
    }
  }
  free_.emplace(begin, size);
  free_by_size_.emplace(size, begin);
}

void MemoryPool::remove_free(Blocks::iterator block) {
  free_by_size_.erase({block->second, block->first});
  free_.erase(block);
}

// Makes a free block of at least `size` bytes, of what is free at the end of the last region and of
// new memory. The system may place that elsewhere; then it must be all of the block.
bool MemoryPool::grow(size_t size) {
  constexpr size_t kUnit = size_t{1} << 21;  // a huge page
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
  regions_.emplace(memory, wanted);
  next_ = memory + wanted;
  add_free(memory, wanted);
  return true;
}

}  // namespace pdl
