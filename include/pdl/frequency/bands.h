// Frequency bands: tokens grouped by how often the frequency table counted them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pdl {

// A range of training counts, both ends included.
struct FrequencyBand {
  std::string_view name;
  int64_t min_count;
  int64_t max_count;
};

inline constexpr std::array<FrequencyBand, 7> kFrequencyBands = {{{"0", 0, 0},
                                                                  {"1-4", 1, 4},
                                                                  {"5-19", 5, 19},
                                                                  {"20-99", 20, 99},
                                                                  {"100-499", 100, 499},
                                                                  {"500-1999", 500, 1999},
                                                                  {"2000+", 2000, INT64_MAX}}};

// A token with fewer training occurrences is rare, where nobody asks for another limit. A band
// begins here.
inline constexpr int64_t kRareBelow = 500;

// Returns whether the tokens of the band are rare.
constexpr bool is_rare(const FrequencyBand& band) { return band.max_count < kRareBelow; }

// Returns the index into kFrequencyBands of a token with `count` >= 0 training occurrences.
int band_of_count(int64_t count);

}  // namespace pdl
