// Tables of reference corpora that were counted before.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pdl/frequency/token_counts.h"

namespace pdl {

// Counts corpora, and keeps their tables in a folder if asked to, as TokenCache keeps tokens.
class CountCache {
 public:
  // `folder` need not exist. Empty: nothing is found or kept.
  explicit CountCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // What count_corpus() gives.
  TokenCounts count(const Corpus& corpus, const PipelineOptions& options);

  // Writes what was counted into the folder, which is made. Throws StorageError.
  void keep();

 private:
  struct Unkept {
    std::filesystem::path path;
    std::string json;
  };

  std::filesystem::path folder_;
  std::vector<Unkept> unkept_;
};

}  // namespace pdl
