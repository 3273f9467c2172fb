// The frequency table: how often each token id occurs. Counted once before training, or read from
// frequency.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "pdl/tokens/corpus_pipeline.h"
#include "pdl/tokens/sequences.h"

namespace pdl {

// What was counted: the targets of one epoch of training, or every token of a reference corpus.
enum class Counted { kTargets, kReference };

// How often each token id was counted, and in what.
struct TokenCounts {
  std::vector<int64_t> counts;  // [V], >= 0
  Counted counted = Counted::kTargets;
  std::string tokenizer_sha256;
  std::string corpus_sha256;  // see CorpusReader::sha256()
  CorpusNotes notes = {};     // of the corpus; empty for targets and for a table that was read

  // The width V of the table, and the sum of its counts.
  int64_t vocab_size() const { return static_cast<int64_t>(counts.size()); }
  int64_t total() const;
};

// Adds the occurrences of `tokens` to `counts` [V]; for kTargets, only of those that are trained.
// Throws DataError for an id outside [0, V).
void add_counts(std::span<const Token> tokens, Counted counted, std::vector<int64_t>& counts);

// Returns the occurrences of each id among the targets of all sequences. Throws DataError for an id
// outside [0, vocab_size).
std::vector<int64_t> count_targets(const Sequences& rows, int64_t vocab_size);

// Counts every token of a reference corpus, or of the shard that `options` name, for
// corpus.vocab_size tokens. Logs how many documents are empty. Throws what for_each_block() throws,
// and DataError for a corpus without tokens.
TokenCounts count_corpus(const Corpus& corpus, PipelineOptions options);

// Returns the table as frequency.json holds it, ending in a newline.
std::string to_json(const TokenCounts& table);

// Reads a frequency.json. Throws DataError, with the file and what is wrong, if it is missing,
// unreadable or not a valid table.
TokenCounts load_token_counts(const std::filesystem::path& path);

// Returns the table for logits of width `vocab_size`: unchanged if it has that width, extended with
// zeros if it has the tokenizer's. Throws DataError for any other width and for the table of
// another tokenizer. `tokenizer` is null if the data are ids. `name` stands for the table in
// messages.
TokenCounts fit_to_model(TokenCounts table, const Tokenizer* tokenizer, int64_t vocab_size,
                         const std::string& name);

}  // namespace pdl
