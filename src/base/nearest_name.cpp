#include "pdl/base/nearest_name.h"

#include <algorithm>
#include <vector>

namespace pdl {
namespace {

// The optimal string alignment distance: insertions, deletions, substitutions and swaps of
// neighbours.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const size_t substituted = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, substituted});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(std::string_view name, std::span<const std::string_view> names) {
  constexpr size_t kMaxNameBytes = 64;
  constexpr size_t kMinPartBytes = 3;
  if (name.size() > kMaxNameBytes) return "";
  size_t best = kMaxNameBytes;
  std::string nearest;
  for (const std::string_view known : names) {
    const size_t distance = edit_distance(name, known);
    if (distance < best && distance <= std::max(name.size(), known.size()) / 2) {
      best = distance;
      nearest = known;
    }
  }
  if (!nearest.empty() || name.size() < kMinPartBytes) return nearest;
  for (const std::string_view known : names) {
    if (known.find(name) != std::string_view::npos) return std::string(known);
  }
  return "";
}

}  // namespace pdl
