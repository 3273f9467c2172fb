#include "pdl/quality/repetition.h"

#include <unordered_map>

namespace pdl {

void RepetitionFigures::add_row(std::span<const int32_t> targets,
                                std::span<const int32_t> most_probable) {
  std::unordered_map<int32_t, int64_t> window;  // how often each target is among those before
  for (size_t i = 0; i < targets.size(); ++i) {
    const bool repeats = window.contains(most_probable[i]);
    repeated_ += repeats ? 1 : 0;
    wrongly_repeated_ += repeats && most_probable[i] != targets[i] ? 1 : 0;
    distinct_.insert(most_probable[i]);
    ++window[targets[i]];
    if (i < static_cast<size_t>(kRepetitionWindow)) continue;
    const auto oldest = window.find(targets[i - static_cast<size_t>(kRepetitionWindow)]);
    if (--oldest->second == 0) window.erase(oldest);
  }
  positions_ += std::ssize(targets);
}

std::optional<double> RepetitionFigures::share(int64_t positions) const {
  if (positions_ == 0) return std::nullopt;
  return static_cast<double>(positions) / static_cast<double>(positions_);
}

}  // namespace pdl
