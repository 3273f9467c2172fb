// Byte-pair encoding of one word: of all neighbours that can be merged, the pair of the lowest rank
// is merged first, the leftmost of equals, until there is none.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace pdl {

struct Merge {
  int32_t rank;
  int32_t id;  // of both together
};

// Immutable after the last add(); then merge() may be called from several threads.
class BpeMerger {
 public:
  // Symbols are ids >= 0; kNone is one that merges with nothing.
  static constexpr int32_t kNone = -1;

  // Of a pair that is added twice the first stays.
  void add(int32_t left, int32_t right, Merge merge);
  // The symbols of a word become those of its encoding. O(n log n).
  void merge(std::vector<int32_t>& symbols) const;

 private:
  const Merge* find(int32_t left, int32_t right) const;
  void merge_short(std::vector<int32_t>& symbols) const;
  void merge_long(std::vector<int32_t>& symbols) const;

  std::unordered_map<uint64_t, Merge> merges_;  // by both ids
};

}  // namespace pdl
