// Tokenizes a corpus on several threads, in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/corpus/documents.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/corpus_notes.h"
#include "pdl/tokens/token.h"

namespace pdl {

// Files, and how they become tokens.
struct Corpus {
  std::vector<std::string> files;  // .txt, .jsonl, both also .gz or .zst; .npy; "-" is stdin
  TextOptions text = {};
  const Tokenizer* tokenizer = nullptr;  // may be null if all files are .npy
  int64_t vocab_size = INT32_MAX;        // ids of .npy must be below
};

// The tokens of one block.
struct BlockTokens {
  std::vector<Token> tokens;
  // Where documents end, as numbers of tokens in the block. The tokens after the last end belong to
  // a document that continues in the next block.
  std::vector<int64_t> document_ends;
};

// Which part of a corpus is visited, on how many threads.
struct PipelineOptions {
  int64_t num_threads = 1;
  // Visits only the blocks whose index is `shard` modulo num_shards; all blocks are read.
  int64_t shard = 0;
  int64_t num_shards = 1;
  // Whether blocks are visited in order, one at a time, or by several threads at once.
  bool in_order = true;
  // Called now and then, never concurrently, with how much of the files is read; total 0: not
  // known.
  std::function<void(int64_t bytes, int64_t total_bytes)> progress = {};
};

// What is known of a corpus, or of a shard, after its last block.
struct CorpusSummary {
  DocumentCounts document_counts;
  CorpusNotes notes;
  std::string sha256;  // see CorpusReader::sha256()
};

// Calls visit(thread, tokens) for each block; `thread` counts from 0, and is always 0 if in_order.
// What is visited does not depend on the number of threads. Throws DataError for what CorpusReader
// and parse_record() refuse and for text that is not UTF-8, always for the first such place in the
// corpus. Throws ModelError as DocumentEncoder does.
CorpusSummary for_each_block(
    const Corpus& corpus, const PipelineOptions& options,
    const std::function<void(int64_t thread, const BlockTokens& tokens)>& visit);

}  // namespace pdl
