#include "piece_trie.h"

#include <algorithm>

namespace pdl {

PieceTrie::PieceTrie(std::vector<std::pair<std::string, int32_t>> pieces) {
  std::sort(pieces.begin(), pieces.end());
  // The range of pieces that begin with the bytes of a node.
  struct Range {
    size_t begin;
    size_t end;
    size_t num_bytes;
  };
  std::vector<Range> ranges = {{0, pieces.size(), 0}};
  labels_ = {0};
  for (size_t node = 0; node < ranges.size(); ++node) {
    auto [begin, end, num_bytes] = ranges[node];
    nodes_.push_back({static_cast<uint32_t>(ranges.size()), -1});
    if (begin < end && pieces[begin].first.size() == num_bytes) {
      nodes_.back().id = pieces[begin++].second;
    }
    while (begin < end) {
      const char label = pieces[begin].first[num_bytes];
      size_t next = begin;
      while (next < end && pieces[next].first[num_bytes] == label) ++next;
      ranges.push_back({begin, next, num_bytes + 1});
      labels_.push_back(label);
      begin = next;
    }
  }
  nodes_.push_back({static_cast<uint32_t>(ranges.size()), -1});
}

}  // namespace pdl
