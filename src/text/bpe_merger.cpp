#include "bpe_merger.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <tuple>

namespace pdl {
namespace {

// Scanning all pairs again after each merge is faster than a queue up to about this length.
constexpr size_t kMaxShort = 24;

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// A pair that can be merged, as it was when it was found.
struct Candidate {
  Merge merge;
  int64_t left;  // positions of the symbols
  int64_t right;
  int32_t left_id;
  int32_t right_id;

  // std::priority_queue gives the greatest first.
  bool operator<(const Candidate& other) const {
    return std::tie(other.merge.rank, other.left) < std::tie(merge.rank, left);
  }
};

}  // namespace

void BpeMerger::add(int32_t left, int32_t right, Merge merge) {
  merges_.emplace(key_of(left, right), merge);
}

const Merge* BpeMerger::find(int32_t left, int32_t right) const {
  if (left < 0 || right < 0) return nullptr;
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeMerger::merge(std::vector<int32_t>& symbols) const {
  if (symbols.size() <= kMaxShort) {
    merge_short(symbols);
  } else {
    merge_long(symbols);
  }
}

void BpeMerger::merge_short(std::vector<int32_t>& symbols) const {
  // Ranks of the pairs (i, i + 1), and what they become.
  constexpr Merge kNoMerge{std::numeric_limits<int32_t>::max(), kNone};
  Merge pairs[kMaxShort];
  const auto look = [&](size_t i) {
    const Merge* merge = find(symbols[i], symbols[i + 1]);
    pairs[i] = merge == nullptr ? kNoMerge : *merge;
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) look(i);
  while (symbols.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < symbols.size(); ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].id == kNone) return;
    symbols[best] = pairs[best].id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(pairs + best + 1, pairs + symbols.size(), pairs + best);
    if (best > 0) look(best - 1);
    if (best + 1 < symbols.size()) look(best);
  }
}

void BpeMerger::merge_long(std::vector<int32_t>& symbols) const {
  constexpr int32_t kGone = -2;  // merged into the symbol before
  const auto size = std::ssize(symbols);
  std::vector<int64_t> next(symbols.size());
  std::vector<int64_t> previous(symbols.size());
  std::priority_queue<Candidate> candidates;
  const auto at = [&](int64_t position) -> int32_t& {
    return symbols[static_cast<size_t>(position)];
  };
  const auto look = [&](int64_t left, int64_t right) {
    if (left < 0 || right >= size) return;
    const Merge* merge = find(at(left), at(right));
    if (merge != nullptr) candidates.push({*merge, left, right, at(left), at(right)});
  };
  for (int64_t i = 0; i < size; ++i) {
    next[static_cast<size_t>(i)] = i + 1;
    previous[static_cast<size_t>(i)] = i - 1;
    look(i, i + 1);
  }
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    // One of them may have been merged since; a symbol that grew has another id.
    if (at(best.left) != best.left_id || at(best.right) != best.right_id ||
        next[static_cast<size_t>(best.left)] != best.right) {
      continue;
    }
    at(best.left) = best.merge.id;
    at(best.right) = kGone;
    const int64_t after = next[static_cast<size_t>(best.right)];
    next[static_cast<size_t>(best.left)] = after;
    if (after < size) previous[static_cast<size_t>(after)] = best.left;
    look(previous[static_cast<size_t>(best.left)], best.left);
    look(best.left, after);
  }
  std::erase(symbols, kGone);
}

}  // namespace pdl
