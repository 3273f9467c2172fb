// Reads the keys of rotary positions, in today's and in older spellings.
#pragma once

#include <string>
#include <vector>

#include "config_reader.h"

namespace pdl {

// A family's own defaults and spellings.
struct RotaryDefaults {
  double theta = 10'000;
  std::string theta_key = "rope_theta";  // at the top level
  // At the top level; empty: the family rotates whole heads.
  std::string share_key = {};
  double share = 1;       // of each head that is rotated
  bool is_scaled = true;  // takes other types than "default"
  bool interleaved = false;
};

// Returns the rotary positions of all layers. `rope_scaling` counts before `rope_parameters`, and
// both before the top level; notes say what was replaced. `head_dim` is that of the heads.
RotarySpec read_rotary(ConfigReader& config, const DecoderSpec& spec,
                       const RotaryDefaults& defaults, std::vector<std::string>& notes);

// Returns those of Gemma 3: of sliding layers, and of the others.
std::vector<RotarySpec> read_two_rotaries(ConfigReader& config, const DecoderSpec& spec,
                                          std::vector<std::string>& notes);

}  // namespace pdl
