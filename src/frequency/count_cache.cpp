#include "pdl/frequency/count_cache.h"

#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/tokens/tokenized_corpus.h"

namespace pdl {

namespace {

std::string file_name(const Corpus& corpus, const std::string& key) {
  return "counts-" + key + "-" + std::to_string(corpus.vocab_size) + ".json";
}

}  // namespace

TokenCounts CountCache::count(const Corpus& corpus, const PipelineOptions& options) {
  const std::string key = folder_.empty() ? "" : corpus_key(corpus);
  if (key.empty()) return count_corpus(corpus, options);
  const std::filesystem::path path = folder_ / file_name(corpus, key);
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    try {
      return load_token_counts(path);
    } catch (const DataError& damage) {
      log_warning(std::string(damage.what()) + ": counting anew");
    }
  }
  TokenCounts table = count_corpus(corpus, options);
  // The files may have changed since they were hashed for the key.
  const std::string counted_key = corpus_key(corpus, table.corpus_sha256);
  unkept_.push_back({folder_ / file_name(corpus, counted_key), to_json(table)});
  return table;
}

void CountCache::keep() {
  if (unkept_.empty()) return;
  make_folder(folder_);
  for (const Unkept& table : unkept_) write_file_durably(table.path, table.json);
  unkept_.clear();
}

}  // namespace pdl
