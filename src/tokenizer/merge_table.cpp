#include "merge_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <queue>

namespace pdl {
namespace {

// Up to this length, scanning all pairs for each merge is faster than a queue.
constexpr size_t kFewSymbols = 48;

// The symbols of a long pre-token as a list. A merged symbol takes the place of its left part.
struct Link {
  int32_t id;
  uint32_t previous;
  uint32_t next;
};
constexpr uint32_t kNone = UINT32_MAX;
constexpr int32_t kGone = -1;  // id of a symbol that was merged into the one before

}  // namespace

MergeTable::MergeTable(size_t num_merges)
    : slots_(std::bit_ceil(std::max<size_t>(2 * num_merges, 2)), Slot{kFree, Merge{}}),
      filter_((size_t{1} << kFilterBits) / 64),
      shift_(64 - std::countr_zero(slots_.size())) {}

void MergeTable::add(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  slots_[slot_of(key)] = {key, merge};
  const size_t bit = filter_bit_of(key);
  filter_[bit / 64] |= uint64_t{1} << (bit % 64);
}

void MergeTable::apply(std::vector<int32_t>& symbols, size_t begin) const {
  if (symbols.size() - begin <= kFewSymbols) {
    apply_to_few(symbols, begin);
  } else {
    apply_to_many(symbols, begin);
  }
}

void MergeTable::apply_to_few(std::vector<int32_t>& symbols, size_t begin) const {
  size_t count = symbols.size() - begin;
  int32_t* word = symbols.data() + begin;
  std::array<Merge, kFewSymbols> merges;  // of each symbol with the next
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = find(word[i], word[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == Merge::kNoRank) break;
    word[best] = merges[best].id;
    std::copy(word + best + 2, word + count, word + best + 1);
    --count;
    if (best + 1 < count) {
      std::copy(merges.begin() + static_cast<std::ptrdiff_t>(best) + 2,
                merges.begin() + static_cast<std::ptrdiff_t>(count),
                merges.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      merges[best] = find(word[best], word[best + 1]);
    }
    if (best > 0) merges[best - 1] = find(word[best - 1], word[best]);
  }
  symbols.resize(begin + count);
}

void MergeTable::apply_to_many(std::vector<int32_t>& symbols, size_t begin) const {
  const size_t count = symbols.size() - begin;
  std::vector<Link> links(count);
  // Packs rank and place into one number, so that the smallest is the leftmost of the smallest
  // rank.
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue;
  const auto offer = [&](uint32_t at) {
    const Merge merge = find(links[at].id, links[links[at].next].id);
    if (merge.rank != Merge::kNoRank) queue.push((static_cast<uint64_t>(merge.rank) << 32) | at);
  };
  for (size_t i = 0; i < count; ++i) {
    links[i] = {symbols[begin + i], static_cast<uint32_t>(i) - 1, static_cast<uint32_t>(i) + 1};
  }
  links.back().next = kNone;
  for (size_t i = 0; i + 1 < count; ++i) offer(static_cast<uint32_t>(i));
  while (!queue.empty()) {
    const auto rank = static_cast<int32_t>(queue.top() >> 32);
    const auto at = static_cast<uint32_t>(queue.top());
    queue.pop();
    Link& link = links[at];
    if (link.id == kGone || link.next == kNone) continue;
    const Merge merge = find(link.id, links[link.next].id);
    if (merge.rank != rank) continue;  // outdated: one of the two has changed since
    Link& right = links[link.next];
    link.id = merge.id;
    link.next = right.next;
    right.id = kGone;
    if (link.next != kNone) {
      links[link.next].previous = at;
      offer(at);
    }
    if (link.previous != kNone) offer(link.previous);
  }
  symbols.resize(begin);
  for (const Link& link : links) {
    if (link.id != kGone) symbols.push_back(link.id);
  }
}

}  // namespace pdl
