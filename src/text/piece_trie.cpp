#include "piece_trie.h"

namespace pdl {

void PieceTrie::add(std::string_view piece, int32_t id) {
  uint64_t node = kRoot;
  for (size_t i = 0; i < piece.size(); ++i) {
    if (2 * size_t{num_nodes_} >= edges_.size()) grow();
    const uint64_t key = key_of(node, piece[i]);
    Edge& edge = edges_[index_of(key)];
    if (edge.key == kFree) edge = {.key = key, .child = ++num_nodes_, .id = -1};
    if (i + 1 == piece.size()) edge.id = id;
    node = edge.child;
  }
}

void PieceTrie::grow() {
  std::vector<Edge> old(2 * edges_.size());
  old.swap(edges_);
  for (const Edge& edge : old) {
    if (edge.key != kFree) edges_[index_of(edge.key)] = edge;
  }
}

}  // namespace pdl
