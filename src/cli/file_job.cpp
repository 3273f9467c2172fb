#include "cli/file_job.h"

#include <algorithm>
#include <thread>

namespace pdl {

FileJob load_file_job(std::vector<FlagSetting> settings, const std::vector<std::string>& files) {
  settings.push_back({"pdl_reference_files", files});
  const RunConfig config = load_config("", settings, {"tokenizer_path"});
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

int64_t text_threads(int64_t num_threads) {
  if (num_threads > 0) return num_threads;
  return std::max<int64_t>(1, std::thread::hardware_concurrency());
}

}  // namespace pdl
