#include "verdict.h"

#include <optional>

namespace pdl {
namespace {

constexpr int64_t kMaxSeeds = 10'000;

SampleMoments with_size(SampleMoments moments, int64_t size) {
  moments.size = size;
  return moments;
}

bool is_decided(const SampleMoments& g, const std::optional<SampleMoments>& r, double delta,
                int64_t seeds) {
  const auto rare = r ? std::optional(with_size(*r, seeds)) : std::nullopt;
  return verdict_of(with_size(g, seeds), rare, delta) != Verdict::kNotShown;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHelps:
      return "helps";
    case Verdict::kHurts:
      return "hurts";
    case Verdict::kNoDifference:
      return "no difference";
    case Verdict::kNotShown:
      return "not shown";
  }
  return "";
}

Verdict verdict_of(const SampleMoments& g, const std::optional<SampleMoments>& r, double delta) {
  const std::optional<Interval> of_g = interval_of(g);
  if (!of_g) return Verdict::kNotShown;
  const std::optional<Interval> of_r = r ? interval_of(*r) : std::nullopt;
  const bool is_rare_better = of_r && of_r->low > 0 && of_g->high < delta;
  if (g.size >= kMinSeedsToHelp && (of_g->high < 0 || is_rare_better)) return Verdict::kHelps;
  if (of_g->low > delta) return Verdict::kHurts;
  if (of_g->low >= -delta && of_g->high <= delta) return Verdict::kNoDifference;
  return Verdict::kNotShown;
}

std::optional<int64_t> seeds_needed(const SampleMoments& g, const std::optional<SampleMoments>& r,
                                    double delta) {
  if (g.size < 2 || !is_decided(g, r, delta, kMaxSeeds)) return std::nullopt;
  // Intervals shrink as seeds are added, so that what is decided stays decided.
  int64_t too_few = kMinSeedsToHelp - 1;
  int64_t enough = kMaxSeeds;
  while (enough - too_few > 1) {
    const int64_t middle = too_few + (enough - too_few) / 2;
    (is_decided(g, r, delta, middle) ? enough : too_few) = middle;
  }
  return enough;
}

}  // namespace pdl
