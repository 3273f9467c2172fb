#include "pdl/run/dataset.h"

#include <algorithm>
#include <thread>

#include "pdl/base/log.h"
#include "pdl/base/unicode.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {
namespace {

// `key` is that of the files in run.json.
Sequences load_sequences(const std::string& key, const std::vector<std::string>& files,
                         const SequenceOptions& options, const TextInput& input,
                         TokenCache& cache) {
  Sequences sequences(cache.tokenize(corpus_of(input, files), pipeline_of(input, "tokenizing")),
                      options, corpus_name(key, files));
  log_corpus_notes(sequences.corpus().notes, input.tokenizer, input.text, key);
  if (sequences.num_untrained() > 0) {
    log_info(
        key + ": " + std::to_string(sequences.num_untrained()) +
        " sequences hold nothing that is trained, only prompts or the like: they are left out");
  }
  return sequences;
}

}  // namespace

void CorpusCaches::keep() {
  tokens.keep();
  counts.keep();
}

std::string corpus_name(const std::string& key, const std::vector<std::string>& files) {
  constexpr size_t kMaxBytes = 100;
  const std::string& path = files.front();
  const std::string file = path.size() <= kMaxBytes
                               ? printable(path, kMaxBytes)
                               : "…/" + printable(std::filesystem::path(path).filename().string());
  const std::string others =
      files.size() > 1 ? " and " + std::to_string(files.size() - 1) + " more" : "";
  return key + " ('" + file + "'" + others + ")";
}

int64_t text_threads(int64_t num_threads) {
  if (num_threads > 0) return num_threads;
  return std::max<int64_t>(1, std::thread::hardware_concurrency());
}

Corpus corpus_of(const TextInput& input, const std::vector<std::string>& files) {
  return {.files = files,
          .text = input.text,
          .tokenizer = input.tokenizer,
          .vocab_size = input.vocab_size};
}

PipelineOptions pipeline_of(const TextInput& input, const std::string& what) {
  PipelineOptions options{.num_threads = input.num_threads};
  if (input.progress) options.progress = input.progress(what);
  return options;
}

Dataset load_dataset(const DataSources& sources, const TextInput& input, TokenCache& cache) {
  Dataset data;
  if (!sources.train_files.empty()) {
    data.train =
        load_sequences("train_files", sources.train_files, sources.sequences, input, cache);
    data.train_counts = count_targets(*data.train, input.vocab_size);
  }
  if (!sources.eval_files.empty()) {
    data.eval = load_sequences("eval_files", sources.eval_files, sources.sequences, input, cache);
    data.eval_counts = count_targets(*data.eval, input.vocab_size);
  }
  if (input.tokenizer != nullptr) {
    data.pad_id = input.tokenizer->pad_id().value_or(input.tokenizer->eos_id().value_or(0));
  }
  return data;
}

}  // namespace pdl
