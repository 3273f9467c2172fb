// A corpus as tokens, in memory or, for what would not fit there, in a file that is mapped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pdl/tokens/corpus_pipeline.h"

namespace pdl {

// The tokens of all documents, one after the other. Document d is tokens[document_ends[d-1] ..
// document_ends[d]).
struct TokenizedCorpus {
  std::span<const Token> tokens;
  std::span<const int64_t> document_ends;  // increasing, the last is tokens.size()
  bool all_trained = true;                 // no token is masked
  DocumentCounts document_counts;
  std::string sha256;                  // of the files, see CorpusReader::sha256()
  std::shared_ptr<const void> memory;  // where the spans lie

  std::span<const Token> document(int64_t index) const;
};

// What decides the tokens of a corpus, in 32 hexadecimal digits: the files by their hashes, the
// tokenizer and the options. Reads the files. "" for a corpus that has no key: one from standard
// input, or with a file that cannot be read.
std::string corpus_key(const Corpus& corpus);

// Tokenizes corpora into files without a name, and keeps them in a folder if asked to: whoever
// tokenizes the same files with the same tokenizer and options next time finds them there. A file
// is verified before it is used.
class TokenCache {
 public:
  // `folder` need not exist; files lie in its file system. Empty: nothing is found or kept, and
  // files lie in the folder for temporary files.
  explicit TokenCache(std::filesystem::path folder);
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // Throws what for_each_block() does, and DataError if the corpus has no token.
  TokenizedCorpus tokenize(const Corpus& corpus, const PipelineOptions& options);

  // Writes what was tokenized into the folder, which exists by now. Throws StorageError.
  void keep();

 private:
  struct Unkept;

  TokenizedCorpus tokenize_anew(const Corpus& corpus, const PipelineOptions& options);

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<Unkept>> unkept_;
};

}  // namespace pdl
