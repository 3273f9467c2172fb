// Low-rank adapters of a native model (Hu et al., 2021), with the names, files, initialisation and
// scaling of PEFT.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pdl {

// What is adapted. A matrix W [out, in] counts as W + (alpha / rank)·B·A with A [rank, in] and
// B [out, rank]; these alone are trained.
struct LoraOptions {
  int64_t rank = 0;    // 0: nothing is adapted, unless there is an adapter
  double alpha = 16;   // above 0
  double dropout = 0;  // in [0, 1): of the input of A, in training
  // Names of modules, or their ends after a dot; "all-linear": every matrix of the layers. Empty:
  // the projections of attention.
  std::vector<std::string> target_modules = {};
  uint64_t seed = 0;  // A is uniform within 1/√in, and B is 0
  // A folder of PEFT's to start from. Its rank, alpha and modules count; what is set here must be
  // the same. Empty: none.
  std::filesystem::path adapter = {};

  // Whether anything is adapted.
  bool is_on() const { return rank > 0 || !adapter.empty(); }
};

}  // namespace pdl
