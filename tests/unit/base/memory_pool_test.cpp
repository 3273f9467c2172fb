#include "pdl/base/memory_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace pdl {
namespace {

constexpr size_t kMebibyte = size_t{1} << 20;

char* allocate(MemoryPool& pool, size_t size) { return static_cast<char*>(pool.allocate(size)); }

TEST(MemoryPoolTest, ServesTheSameSizesFromTheSameMemory) {
  MemoryPool pool;
  const std::vector<size_t> sizes{3 * kMebibyte, 70'000, 8 * kMebibyte, 70'001, 3 * kMebibyte};
  size_t after_first = 0;
  for (int step = 0; step < 5; ++step) {
    std::vector<void*> blocks;
    for (const size_t size : sizes) blocks.push_back(pool.allocate(size));
    for (void* block : blocks) EXPECT_TRUE(pool.free(block));
    if (step == 0) after_first = pool.size();
    EXPECT_EQ(pool.size(), after_first);
  }
}

TEST(MemoryPoolTest, JoinsFreeNeighboursInWhateverOrderTheyComeBack) {
  std::vector<size_t> order{0, 1, 2, 3};
  do {
    MemoryPool pool;
    std::vector<void*> blocks;
    for (size_t i = 0; i < order.size(); ++i) blocks.push_back(pool.allocate(2 * kMebibyte));
    const size_t size = pool.size();
    for (const size_t i : order) pool.free(blocks[i]);
    void* whole = pool.allocate(8 * kMebibyte);
    EXPECT_EQ(pool.size(), size);
    pool.free(whole);
  } while (std::ranges::next_permutation(order).found);
}

TEST(MemoryPoolTest, AsksForWhatIsMissingAtTheEndAlone) {
  MemoryPool pool;
  void* first = pool.allocate(64 * kMebibyte);
  pool.free(first);
  void* larger = pool.allocate(66 * kMebibyte);
  EXPECT_EQ(pool.size(), 66 * kMebibyte);
  EXPECT_EQ(larger, first);
  pool.free(larger);
}

TEST(MemoryPoolTest, TakesTheSmallestBlockThatIsLargeEnough) {
  MemoryPool pool;
  void* large = pool.allocate(8 * kMebibyte);
  void* between = pool.allocate(kMebibyte);
  void* small = pool.allocate(4 * kMebibyte);
  void* end = pool.allocate(kMebibyte);
  pool.free(large);
  pool.free(small);
  EXPECT_EQ(pool.allocate(4 * kMebibyte), small);
  EXPECT_EQ(pool.allocate(4 * kMebibyte), large);
  EXPECT_TRUE(pool.free(between) && pool.free(end));
}

// Every block keeps its bytes until it is freed, and none overlaps another.
TEST(MemoryPoolTest, BlocksAreApartAndAligned) {
  MemoryPool pool;
  std::mt19937 random(1);
  struct Block {
    size_t size;
    char mark;
  };
  std::map<char*, Block> blocks;
  for (int i = 0; i < 3000; ++i) {
    if (blocks.size() < 40 && random() % 2 == 0) {
      const size_t size = 1 + random() % 300'000;
      char* begin = allocate(pool, size);
      ASSERT_NE(begin, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(begin) % MemoryPool::kAlignment, 0U);
      const char mark = static_cast<char>(i);
      std::memset(begin, mark, size);
      EXPECT_TRUE(blocks.emplace(begin, Block{size, mark}).second);
    } else if (!blocks.empty()) {
      const auto chosen = std::next(blocks.begin(), static_cast<int64_t>(random() % blocks.size()));
      const auto& [begin, block] = *chosen;
      EXPECT_EQ(static_cast<size_t>(std::count(begin, begin + block.size, block.mark)), block.size);
      EXPECT_TRUE(pool.free(begin));
      blocks.erase(chosen);
    }
  }
}

TEST(MemoryPoolTest, RefusesWhatIsNoBlock) {
  MemoryPool pool;
  char* block = allocate(pool, 1000);
  char other = 0;
  EXPECT_FALSE(pool.free(&other));
  EXPECT_FALSE(pool.free(block + MemoryPool::kAlignment));
  EXPECT_FALSE(pool.free(nullptr));
  EXPECT_TRUE(pool.free(block));
  EXPECT_FALSE(pool.free(block));
}

TEST(MemoryPoolTest, GivesNullWhereThereIsNoMemory) {
  MemoryPool pool;
  EXPECT_EQ(pool.allocate(size_t{1} << 60), nullptr);
  EXPECT_EQ(pool.allocate(std::numeric_limits<size_t>::max()), nullptr);
  void* block = pool.allocate(kMebibyte);
  EXPECT_NE(block, nullptr);
  pool.free(block);
}

// As where the system maps something else after the pool's memory.
TEST(MemoryPoolTest, GrowsElsewhereWhereItsPlaceIsTaken) {
  MemoryPool pool;
  char* first = allocate(pool, kMebibyte);
  const size_t region = pool.size();
  void* taken = ::mmap(first + region, 4096, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(taken, first + region);
  char* larger = allocate(pool, region);  // than what is free at the end
  EXPECT_TRUE(larger < first || larger > first + region);
  std::memset(larger, 1, region);
  EXPECT_EQ(pool.size(), 2 * region);
  char* at_end = allocate(pool, region - kMebibyte);
  EXPECT_EQ(at_end, first + kMebibyte);
  EXPECT_EQ(pool.size(), 2 * region);
  for (char* block : {first, larger, at_end}) EXPECT_TRUE(pool.free(block));
  ::munmap(taken, 4096);
}

TEST(MemoryPoolTest, ServesManyThreads) {
  MemoryPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 500; ++i) {
        const size_t size = 65'536 + static_cast<size_t>(i % 7) * 5000;
        char* block = allocate(pool, size);
        std::memset(block, t, size);
        EXPECT_EQ(static_cast<size_t>(std::count(block, block + size, static_cast<char>(t))), size);
        EXPECT_TRUE(pool.free(block));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace pdl
