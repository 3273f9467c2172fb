#include "pdl/ops/counted_vocabulary.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pdl/frequency/bands.h"
#include "pdl/kernels/cpu_kernels.h"

namespace pdl {

CountedVocabulary::CountedVocabulary(const std::vector<int64_t>& counts,
                                     const std::vector<double>& taus, at::Device device)
    : tokens(counts.size()),
      band_ends(kMaxBands),
      bands(at::empty({std::ssize(counts)}, at::kByte)),
      place_of_token(at::empty({std::ssize(counts)}, at::kLong)),
      group_of_token(at::empty({std::ssize(counts)}, at::kLong)) {
  static_assert(kFrequencyBands.size() <= kMaxBands);
  const auto count_of = [&](int32_t token) { return counts[static_cast<size_t>(token)]; };
  std::iota(tokens.begin(), tokens.end(), 0);
  std::ranges::stable_sort(tokens, {}, count_of);
  auto* place_of = place_of_token.mutable_data_ptr<int64_t>();
  auto* group_of = group_of_token.mutable_data_ptr<int64_t>();
  auto* band_of = bands.mutable_data_ptr<uint8_t>();
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int32_t token = tokens[i];
    if (i == 0 || count_of(token) != count_of(tokens[i - 1])) ends.push_back(0);
    ends.back() = static_cast<int64_t>(i) + 1;
    place_of[token] = ends.back() - 1;
    group_of[token] = std::ssize(ends) - 1;
    band_of[token] = static_cast<uint8_t>(band_of_count(count_of(token)));
    band_ends[band_of[token]] = ends.back();
  }
  // Bands without tokens end where those before them do.
  std::inclusive_scan(band_ends.begin(), band_ends.end(), band_ends.begin(),
                      [](int64_t a, int64_t b) { return std::max(a, b); });
  biases = at::empty({std::ssize(ends), std::ssize(taus)}, at::kDouble);
  auto* bias = biases.mutable_data_ptr<double>();
  for (const int64_t end : ends) {
    const auto count = static_cast<double>(count_of(tokens[static_cast<size_t>(end) - 1]));
    for (const double tau : taus) *bias++ = tau * std::log1p(count);
  }
  bands = bands.to(device);
  place_of_token = place_of_token.to(device);
  group_of_token = group_of_token.to(device);
  biases = biases.to(device);
}

}  // namespace pdl
