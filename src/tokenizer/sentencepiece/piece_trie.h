// A trie of the pieces of a vocabulary, to find those with which a text begins.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pdl {

// Immutable.
class PieceTrie {
 public:
  // Takes pieces and their ids in any order; pieces are distinct and not empty.
  explicit PieceTrie(std::vector<std::pair<std::string, int32_t>> pieces);

  // Calls visit(num_bytes, id) for each piece with which `text` begins, the shortest first.
  template <class Visit>
  void find_prefixes(std::string_view text, Visit visit) const {
    const Node* node = nodes_.data();
    for (size_t i = 0; i < text.size(); ++i) {
      const size_t first = node[0].first_child;
      const void* found =
          std::memchr(labels_.data() + first, text[i], size_t{node[1].first_child} - first);
      if (found == nullptr) return;
      node = nodes_.data() + (static_cast<const char*>(found) - labels_.data());
      if (node->id >= 0) visit(i + 1, node->id);
    }
  }

 private:
  // Nodes are sorted by depth, so that children are adjacent, and a trie of usual size stays in the
  // caches.
  struct Node {
    uint32_t first_child;  // they end where those of the next node begin
    int32_t id;            // of the piece that ends here; -1: none
  };

  std::vector<Node> nodes_;   // the root first; a sentinel last
  std::vector<char> labels_;  // the byte that leads to each node
};

}  // namespace pdl
