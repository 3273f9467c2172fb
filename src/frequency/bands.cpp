#include "pdl/frequency/bands.h"

namespace pdl {

int band_of_count(int64_t count) {
  int band = 0;
  while (count > kFrequencyBands[static_cast<size_t>(band)].max_count) {
    ++band;
  }
  return band;
}

}  // namespace pdl
