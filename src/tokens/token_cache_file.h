// Stores a tokenized corpus in a file: tokens, document ends, a JSON object that describes both,
// its length, the SHA-256 of all of that, and a magic number.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pdl/base/sha256.h"
#include "pdl/base/unnamed_file.h"
#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

class CachedTokensWriter {
 public:
  explicit CachedTokensWriter(const std::filesystem::path& folder) : file_(folder) {}

  void add(const BlockTokens& block);
  // Completes the file and maps it. To be called once.
  TokenizedCorpus finish(const CorpusSummary& summary);

  int64_t num_tokens() const { return num_tokens_; }
  UnnamedFile& file() { return file_; }

 private:
  void write(std::string_view bytes);

  UnnamedFile file_;
  Sha256 hash_;
  int64_t num_tokens_ = 0;
  bool all_trained_ = true;
  std::vector<int64_t> document_ends_;
};

// Returns nullopt if there is no such file, or if it is damaged; `damage` then says what is wrong.
std::optional<TokenizedCorpus> open_cached_tokens(const std::filesystem::path& path,
                                                  std::string& damage);

}  // namespace pdl
