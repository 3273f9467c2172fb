// The part shared by commands that read FILE… instead of a run.json.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pdl/config/load_config.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/corpus_pipeline.h"

namespace pdl {

struct FileJob {
  std::unique_ptr<Tokenizer> tokenizer;  // none for .npy alone
  Corpus corpus;                         // globs expanded
  int64_t num_threads = 1;
};

// Checks the flags, and the files as those of pdl_reference_files, and loads the tokenizer. Throws
// ConfigError, e.g. for an unsupported kind of file, and ModelError.
FileJob load_file_job(std::vector<FlagSetting> settings, const std::vector<std::string>& files);

// Logs what log_corpus_notes() and log_declared_tokens() do for the corpus of FILE….
void log_notes(const CorpusNotes& notes, const FileJob& job);

}  // namespace pdl
