// Strings as paths of bytes, for finding all that begin at a place of a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace pdl::tokenizer_json {

// Immutable after the last add(). The edges lie in one hash table of 64-bit keys.
class ByteTrie {
 public:
  static constexpr int32_t kNoValue = -1;

  ByteTrie() : edges_(kFirstEdges, Edge{kFree, 0}), values_(1, kNoValue) {}

  // Adds a string. One that is added again gets the new value. `value` >= 0.
  void add(std::string_view text, int32_t value) {
    uint32_t node = 0;
    for (const char byte : text) node = child_or_new(node, static_cast<unsigned char>(byte));
    values_[node] = value;
  }

  // Calls visit(length, value) for each string that begins at `at`, the shortest first.
  template <class Visitor>
  void visit_prefixes(std::string_view text, size_t at, Visitor visit) const {
    uint32_t node = 0;
    for (size_t end = at; end < text.size();) {
      node = child(node, static_cast<unsigned char>(text[end++]));
      if (node == 0) return;
      if (values_[node] != kNoValue) visit(end - at, values_[node]);
    }
  }

 private:
  struct Edge {
    uint64_t key;  // parent node and byte
    uint32_t node;
  };
  static constexpr size_t kFirstEdges = 16;
  static constexpr uint64_t kFree = UINT64_MAX;

  static uint64_t key_of(uint32_t node, unsigned char byte) {
    return (static_cast<uint64_t>(node) << 8) | byte;
  }
  size_t slot_of(uint64_t key) const {
    const size_t mask = edges_.size() - 1;
    size_t slot = static_cast<size_t>((key * 0x9e3779b97f4a7c15U) >> 32) & mask;
    while (edges_[slot].key != key && edges_[slot].key != kFree) slot = (slot + 1) & mask;
    return slot;
  }
  // 0: there is none; the root is nobody's child.
  uint32_t child(uint32_t node, unsigned char byte) const {
    const Edge& edge = edges_[slot_of(key_of(node, byte))];
    return edge.key == kFree ? 0 : edge.node;
  }
  uint32_t child_or_new(uint32_t node, unsigned char byte) {
    if (values_.size() * 2 > edges_.size()) grow();
    Edge& edge = edges_[slot_of(key_of(node, byte))];
    if (edge.key == kFree) {
      edge = {key_of(node, byte), static_cast<uint32_t>(values_.size())};
      values_.push_back(kNoValue);
    }
    return edge.node;
  }
  void grow() {
    std::vector<Edge> old(edges_.size() * 2, Edge{kFree, 0});
    old.swap(edges_);
    for (const Edge& edge : old) {
      if (edge.key != kFree) edges_[slot_of(edge.key)] = edge;
    }
  }

  std::vector<Edge> edges_;
  std::vector<int32_t> values_;  // of each node
};

}  // namespace pdl::tokenizer_json
