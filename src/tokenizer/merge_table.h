// The merges of a byte pair encoding, and their application to a pre-token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pdl {

struct Merge {
  static constexpr int32_t kNoRank = INT32_MAX;

  int32_t rank = kNoRank;  // the smallest is merged first
  int32_t id = 0;          // of the resulting token
};

// Immutable after the last add().
class MergeTable {
 public:
  // A symbol that is never merged.
  static constexpr int32_t kNoSymbol = -2;

  explicit MergeTable(size_t num_merges);

  // If a pair is added twice, the last rank wins, so ranks must then rise.
  void add(int32_t left, int32_t right, Merge merge);
  // Returns rank kNoRank if the pair is not merged.
  Merge find(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    // Most pairs are not merged, and the filter that tells so stays in the caches.
    const size_t bit = filter_bit_of(key);
    if ((filter_[bit / 64] >> (bit % 64) & 1) == 0) return {};
    return slots_[slot_of(key)].merge;
  }
  // Merges symbols[begin..] in place: always the pair of the smallest rank, and of those the
  // leftmost. Takes O(n log n) time in the number of symbols.
  void apply(std::vector<int32_t>& symbols, size_t begin) const;

 private:
  struct Slot {
    uint64_t key;
    Merge merge;
  };
  static constexpr uint64_t kFree = UINT64_MAX;

  static uint64_t key_of(int32_t left, int32_t right) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) |
           static_cast<uint32_t>(right);
  }
  static constexpr int kFilterBits = 20;

  static size_t filter_bit_of(uint64_t key) {
    return static_cast<size_t>((key * 0xc2b2ae3d27d4eb4fU) >> (64 - kFilterBits));
  }
  size_t slot_of(uint64_t key) const {
    size_t slot = static_cast<size_t>((key * 0x9e3779b97f4a7c15U) >> shift_);
    while (slots_[slot].key != key && slots_[slot].key != kFree) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }
  void apply_to_few(std::vector<int32_t>& symbols, size_t begin) const;
  void apply_to_many(std::vector<int32_t>& symbols, size_t begin) const;

  std::vector<Slot> slots_;       // a power of two, at least half of them free
  std::vector<uint64_t> filter_;  // one bit for the hash of each key
  int shift_;
};

}  // namespace pdl
