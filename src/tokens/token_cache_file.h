// A tokenized corpus as a file: tokens, document ends, a JSON object that describes both, the
// length of that, the SHA-256 of all before it, and a mark.
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
  // Ends the file and maps it. Call once.
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

// nullopt if there is no such file. For one that is damaged, too, and `damage` says what is wrong.
std::optional<TokenizedCorpus> open_cached_tokens(const std::filesystem::path& path,
                                                  std::string& damage);

}  // namespace pdl
