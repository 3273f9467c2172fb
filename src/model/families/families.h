// The families: one function for each, which fills a spec from its keys with its defaults.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config_reader.h"
#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// What a family's function works on.
struct FamilyReading {
  ConfigReader& config;
  DecoderSpec& spec;
  std::vector<std::string>& notes;
};

using ReadFamily = void (*)(const FamilyReading& reading);

// By model_type.
using FamilyTable = std::map<std::string, ReadFamily, std::less<>>;

// All of them.
const FamilyTable& families();

// Its parts.
FamilyTable rms_norm_families();
FamilyTable gemma_families();
FamilyTable layer_norm_families();

}  // namespace pdl
