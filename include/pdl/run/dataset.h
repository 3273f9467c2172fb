// Loads the data of a job as sequences.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/frequency/count_cache.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/sequences.h"
#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

// Creates the function that is told how much of a corpus is read; the argument is "tokenizing" or
// "counting". If empty, nothing is told.
using ProgressFactory =
    std::function<std::function<void(int64_t bytes, int64_t total_bytes)>(const std::string& what)>;

// The tokenizer and options with which text is read. `tokenizer` is null if all data are token ids.
struct TextInput {
  const Tokenizer* tokenizer = nullptr;
  int64_t vocab_size = 0;  // ids must be below
  TextOptions text;
  int64_t num_threads = 1;
  ProgressFactory progress = {};
};

// The caches of tokenized and counted corpora, written to a folder once the run may write.
struct CorpusCaches {
  explicit CorpusCaches(const std::filesystem::path& folder) : tokens(folder), counts(folder) {}
  // Writes what is new into the folder, which it makes. Throws StorageError.
  void keep();

  TokenCache tokens;
  CountCache counts;
};

// The files of a job: absolute paths, globs expanded.
struct DataSources {
  std::vector<std::string> train_files;
  std::vector<std::string> eval_files;
  SequenceOptions sequences;
};

// The sequences of a job and the counts of their targets.
struct Dataset {
  std::optional<Sequences> train;     // none for a job that only evaluates and has no train_files
  std::optional<Sequences> eval;      // none without eval_files
  std::vector<int64_t> train_counts;  // [V], targets of one epoch; empty without `train`
  std::vector<int64_t> eval_counts;
  int32_t pad_id = 0;
};

// "train_files ('a.jsonl' and 2 more)", for messages; of a long path the file's name alone. `key`
// is that of the files in run.json.
std::string corpus_name(const std::string& key, const std::vector<std::string>& files);

// Returns the number of threads for text: that of the key num_threads or, if 0, of the machine.
int64_t text_threads(int64_t num_threads);

// The files as a corpus, and how a pipeline reads it; `what` is for ProgressFactory.
Corpus corpus_of(const TextInput& input, const std::vector<std::string>& files);
PipelineOptions pipeline_of(const TextInput& input, const std::string& what);

// Tokenizes the files of a job, cuts them into sequences and counts their targets, once. Throws
// DataError.
Dataset load_dataset(const DataSources& sources, const TextInput& input, TokenCache& cache);

}  // namespace pdl
