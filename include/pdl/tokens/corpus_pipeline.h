// A corpus to tokens, on several threads, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/corpus/documents.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/token.h"

namespace pdl {

struct Corpus {
  std::vector<std::string> files;  // .txt, .jsonl, both also .gz or .zst; .npy; "-" is stdin
  TextOptions text = {};
  const Tokenizer* tokenizer = nullptr;  // may be null if all files are .npy
  int64_t vocab_size = INT32_MAX;        // ids of .npy are below
};

// The tokens of one block.
struct BlockTokens {
  std::vector<Token> tokens;
  // Where documents end, as numbers of tokens in the block. The tokens behind the last end belong
  // to a document that goes on in the next block.
  std::vector<int64_t> document_ends;
};

struct PipelineOptions {
  int64_t num_threads = 1;
  // Only the blocks with these indices modulo num_shards; all are read.
  int64_t shard = 0;
  int64_t num_shards = 1;
  // Whether blocks are visited one at a time in their order, or by several threads at once.
  bool in_order = true;
  // Told now and then, one call at a time, how much of the files is read; total 0: not known.
  std::function<void(int64_t bytes, int64_t total_bytes)> progress = {};
};

struct CorpusSummary {
  DocumentCounts document_counts;
  std::string sha256;  // see CorpusReader::sha256()
};

// Calls visit(thread, tokens) for each block; `thread` counts from 0 and is always 0 in order. What
// is visited does not depend on the number of threads. Throws DataError, of the first place in the
// corpus that has one, for what CorpusReader and parse_record() refuse and for text that is not
// UTF-8; ModelError as DocumentEncoder does.
CorpusSummary for_each_block(
    const Corpus& corpus, const PipelineOptions& options,
    const std::function<void(int64_t thread, const BlockTokens& tokens)>& visit);

}  // namespace pdl
