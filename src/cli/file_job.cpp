#include "cli/file_job.h"

#include "pdl/run/chat_date.h"
#include "pdl/run/dataset.h"

namespace pdl {

FileJob load_file_job(std::vector<FlagSetting> settings, const std::vector<std::string>& files) {
  settings.push_back({.key = "pdl_reference_files", .values = files, .shown_as = "FILE"});
  const RunConfig config = with_chat_date(load_config("", settings, {"tokenizer_path"}));
  FileJob job;
  job.corpus = {.files = config.pdl_reference_files, .text = config.text};
  if (!config.tokenizer_path.empty()) {
    job.tokenizer = load_tokenizer(config.tokenizer_path);
    job.corpus.tokenizer = job.tokenizer.get();
    job.corpus.vocab_size = job.tokenizer->size();
  }
  job.num_threads = text_threads(config.num_threads);
  return job;
}

void log_notes(const CorpusNotes& notes, const FileJob& job) {
  log_corpus_notes(notes, job.tokenizer.get(), job.corpus.text, "FILE");
  log_declared_tokens(notes.bounded, job.tokenizer.get(), job.corpus.text);
}

}  // namespace pdl
