// The data of a job as sequences.
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

// Makes what is told how far the reading of a corpus is; "tokenizing" or "counting" says what is
// done. Empty: nobody is told.
using ProgressFactory =
    std::function<std::function<void(int64_t bytes, int64_t total_bytes)>(const std::string& what)>;

// What text is read with. `tokenizer` is null if all data are token ids.
struct TextInput {
  const Tokenizer* tokenizer = nullptr;
  int64_t vocab_size = 0;  // ids are below
  TextOptions text;
  int64_t num_threads = 1;
  ProgressFactory progress = {};
};

// Tokenized and counted corpora, kept in a folder once the run may write.
struct CorpusCaches {
  explicit CorpusCaches(const std::filesystem::path& folder) : tokens(folder), counts(folder) {}
  // Writes what is new into the folder, which exists by now. Throws StorageError.
  void keep();

  TokenCache tokens;
  CountCache counts;
};

// Absolute paths, globs expanded.
struct DataSources {
  std::vector<std::string> train_files;
  std::vector<std::string> eval_files;
  SequenceOptions sequences;
};

struct Dataset {
  std::optional<Sequences> train;     // none for a job that only evaluates and has no train_files
  std::optional<Sequences> eval;      // none without eval_files
  std::vector<int64_t> train_counts;  // [V], targets of one epoch; empty without `train`
  std::vector<int64_t> eval_counts;
  int32_t pad_id = 0;
};

// Threads for text: as many as the key num_threads says, or the machine has.
int64_t text_threads(int64_t num_threads);

Corpus corpus_of(const TextInput& input, const std::vector<std::string>& files);
PipelineOptions pipeline_of(const TextInput& input, const std::string& what);

// Tokenizes and cuts the files of a job, and counts their targets, once. Throws DataError.
Dataset load_dataset(const DataSources& sources, const TextInput& input, TokenCache& cache);

}  // namespace pdl
