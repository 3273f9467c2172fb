// A frequency table counted in parts: each process counts one shard of the corpus, and the tables
// of all shards add up to that of the whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {

// One of `count` parts of a corpus: block k of the corpus belongs to shard k mod count.
struct Shard {
  int64_t index = 0;  // in [0, count)
  int64_t count = 1;
};

// The counts of one shard, and all that must agree with the other shards.
struct ShardCounts {
  TokenCounts table;  // of the shard alone; corpus_sha256 is that of the whole corpus
  Shard shard;
  TextOptions text;  // how the text became tokens; must be the same in all shards
};

// A shard that was read from a file.
struct NamedShardCounts {
  std::string name;  // the file, for messages
  ShardCounts counts;
};

// Returns frequency.json with two more fields, "shard": {"index": i, "count": n} and
// "text_options", ending in a newline.
std::string to_json(const ShardCounts& counts);

// Reads the file of a shard. Throws DataError, with the file and what is wrong, if it is missing,
// unreadable or not a valid shard, e.g. the table of a whole corpus.
ShardCounts load_shard_counts(const std::filesystem::path& path);

// Returns the table of the whole corpus: the same, to the byte of its JSON, as if it had been
// counted at once. The order of `shards` does not matter. Throws DataError, with the files and what
// differs, if a shard is missing or given twice; if two differ in the number of shards, the
// tokenizer, the corpus, the vocabulary, what was counted or the text options; and if there is no
// token, or more than 2^53.
TokenCounts merge_token_counts(const std::vector<NamedShardCounts>& shards);

}  // namespace pdl
