// Keeps the frequency tables of reference corpora, so that none is counted twice.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pdl/frequency/token_counts.h"

namespace pdl {

// Counts corpora and, if asked to, keeps their tables in a folder, as TokenCache keeps tokens.
class CountCache {
 public:
  // `folder` need not exist. If it is empty, nothing is found or kept.
  explicit CountCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Returns what count_corpus() does.
  TokenCounts count(const Corpus& corpus, const PipelineOptions& options);

  // Creates the folder and writes what was counted into it. Throws StorageError.
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
