// The pieces of a vocabulary by their bytes: which of them a text begins with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace pdl {

// Immutable after the last add(); then find_prefixes() may be called from several threads.
class PieceTrie {
 public:
  PieceTrie() : edges_(size_t{1} << 10) {}

  // `piece` is not empty, and new.
  void add(std::string_view piece, int32_t id);

  // Calls visit(num_bytes, id) for each piece that `text` begins with, the shortest first.
  template <class Visit>
  void find_prefixes(std::string_view text, Visit visit) const {
    uint64_t node = kRoot;
    for (size_t i = 0; i < text.size(); ++i) {
      const Edge& edge = edges_[index_of(key_of(node, text[i]))];
      if (edge.key == kFree) return;
      if (edge.id >= 0) visit(i + 1, edge.id);
      node = edge.child;
    }
  }

 private:
  static constexpr uint64_t kRoot = 1;
  static constexpr uint64_t kFree = 0;  // no key: nodes count from kRoot

  // From a node to the one that is a byte longer.
  struct Edge {
    uint64_t key = kFree;
    uint32_t child = 0;
    int32_t id = -1;  // of the piece that ends in `child`; -1: none does
  };

  static uint64_t key_of(uint64_t node, char byte) {
    return node << 8 | static_cast<unsigned char>(byte);
  }
  // Of the edge, or of the free place where it belongs.
  size_t index_of(uint64_t key) const {
    const size_t mask = edges_.size() - 1;
    for (size_t i = (key * 0x9e3779b97f4a7c15) >> 32 & mask;; i = (i + 1) & mask) {
      if (edges_[i].key == key || edges_[i].key == kFree) return i;
    }
  }
  void grow();

  std::vector<Edge> edges_;  // an open hash table; its size is a power of two
  uint32_t num_nodes_ = 1;
};

}  // namespace pdl
