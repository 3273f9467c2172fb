// A corpus as tokens, in memory or, if it would not fit, in a mapped file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pdl/tokens/corpus_pipeline.h"

namespace pdl {

// The tokens of all documents, joined. Document d is tokens[document_ends[d-1] ..
// document_ends[d]).
struct TokenizedCorpus {
  std::span<const Token> tokens;
  std::span<const int64_t> document_ends;  // never decreasing, the last is tokens.size()
  bool all_trained = true;                 // the loss mask leaves out no token
  DocumentCounts document_counts;
  CorpusNotes notes;
  std::string sha256;                  // of the files, see CorpusReader::sha256()
  std::shared_ptr<const void> memory;  // owns what the spans view

  // The tokens of one document, counted from 0.
  std::span<const Token> document(int64_t index) const;
};

// Returns a fingerprint of all that decides the tokens of a corpus, in 32 hexadecimal digits: the
// hashes of the files, the tokenizer and the options. Reads the files. Returns "" for a corpus
// without a key: one from standard input, or with a file that cannot be read.
std::string corpus_key(const Corpus& corpus);

// The same if CorpusReader::sha256() of the files is known, without reading them.
std::string corpus_key(const Corpus& corpus, const std::string& corpus_sha256);

// Tokenizes corpora into files without a name and, if asked to, keeps them in a folder: the next
// time, the same files with the same tokenizer and options are found there. A file is verified
// before it is used.
class TokenCache {
 public:
  // `folder` need not exist; files lie in its file system. If it is empty, nothing is found or
  // kept, and files lie in the folder for temporary files.
  explicit TokenCache(std::filesystem::path folder);
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // Throws what for_each_block() throws, and DataError if the corpus has no token.
  TokenizedCorpus tokenize(const Corpus& corpus, const PipelineOptions& options);

  // Writes what was tokenized into the folder, which must exist. Throws StorageError.
  void keep();

 private:
  struct Unkept;

  TokenizedCorpus tokenize_anew(const Corpus& corpus, const PipelineOptions& options);

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<Unkept>> unkept_;
};

}  // namespace pdl
