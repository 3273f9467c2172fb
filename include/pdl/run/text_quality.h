// Measures the texts that a job's model writes, beside those that people wrote: `eval --generate`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "pdl/quality/text_figures.h"
#include "pdl/run/job.h"

namespace pdl {

// Which texts are measured, and how.
struct TextQualityOptions {
  // How many samples are generated; 0: those of the file `samples` are measured.
  int64_t num_samples = 0;
  std::filesystem::path samples;  // JSON lines with `ids`, and maybe `text` and `prompt`
  std::filesystem::path output;   // where the generated samples are written; empty: nowhere
  int64_t max_new_tokens = 64;    // ids of a sample, and of a text beside it
  double temperature = 1;
  int64_t rare_below = 500;           // a token with fewer training occurrences is rare
  std::filesystem::path judge_model;  // which says how probable the texts are; empty: none
};

// The texts beside which samples are measured are parts of documents: after the first
// kQualityPromptTokens ids, which are the prompt, the next max_new_tokens. `human` is of
// eval_files, `floor` of train_files.
inline constexpr int64_t kQualityPromptTokens = 32;

// A measurement in two steps, so that what is wrong with the options or files is found before a
// model runs for long.
class TextQualityRun {
 public:
  // Chooses documents, reads the file of samples, opens that for output, and loads the judge. The
  // job needs a tokenizer and eval_files, and must outlive this. Logs it where there are fewer
  // documents than are asked for. Throws ConfigError, DataError, ModelError and StorageError.
  TextQualityRun(const Job& job, const TextQualityOptions& options);
  ~TextQualityRun();
  TextQualityRun(const TextQualityRun&) = delete;
  TextQualityRun& operator=(const TextQualityRun&) = delete;

  // Generates and measures, once. Leaves the job's model in evaluation mode.
  TextQuality measure();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pdl
