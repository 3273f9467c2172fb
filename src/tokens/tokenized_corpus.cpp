#include "pdl/tokens/tokenized_corpus.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/corpus_file.h"
#include "token_cache_file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStandardInput = "-";

fs::path temporary_folder() {
  std::error_code error;
  const fs::path folder = fs::temp_directory_path(error);
  if (error) throw StorageError("TMPDIR names no folder: " + error.message());
  return folder;
}

// Returns the nearest folder that exists, `folder` or one above it. If nothing can be written
// there, e.g. by a user who may only read the run, returns the folder for temporary files.
fs::path folder_for_tokens(const fs::path& folder) {
  if (folder.empty()) return temporary_folder();
  std::error_code error;
  fs::path nearest = fs::absolute(folder, error);
  while (!error && !fs::exists(nearest, error) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  return error || ::access(nearest.c_str(), W_OK | X_OK) != 0 ? temporary_folder() : nearest;
}

bool reads_standard_input(const Corpus& corpus) {
  return std::find(corpus.files.begin(), corpus.files.end(), kStandardInput) != corpus.files.end();
}

// Returns what CorpusReader::sha256() would, without decompressing and tokenizing. Returns "" if a
// file cannot be read; tokenizing will report that.
std::string hash_files(const std::vector<std::string>& files) {
  Sha256 corpus_hash;
  for (const std::string& file : files) {
    Sha256 file_hash;
    const std::string problem =
        try_read_pieces(file, [&](std::string_view bytes) { file_hash.update(bytes); });
    if (!problem.empty()) return "";
    corpus_hash.update(file_hash.finish() + "\n");
  }
  return corpus_hash.finish();
}

std::string file_name(const std::string& key) { return "tokens-" + key + ".bin"; }

}  // namespace

std::string corpus_key(const Corpus& corpus, const std::string& corpus_sha256) {
  // Does not compile once TextOptions has another field, which must then be in the key, too.
  const auto& [text_document, text_field, prompt_field, completion_field, messages_field,
               chat_template, chat_date, completion_only_loss, add_bos, add_eos] = corpus.text;
  std::vector<int> kinds;
  for (const std::string& file : corpus.files)
    kinds.push_back(static_cast<int>(corpus_file_kind(file)));
  const nlohmann::json key = {
      {"version", 3},  // of the rules by which text becomes tokens, and of the files in the cache
      {"tokenizer", corpus.tokenizer == nullptr ? "" : corpus.tokenizer->sha256()},
      {"files", corpus_sha256},
      {"kinds", kinds},
      {"vocab_size", corpus.vocab_size},  // ids of .npy must be below
      {"text_document", static_cast<int>(text_document)},
      {"fields", {text_field, prompt_field, completion_field, messages_field}},
      {"chat_template", ChatFormat(corpus.text, corpus.tokenizer).fingerprint()},
      {"completion_only_loss", completion_only_loss},
      {"add_bos", add_bos},
      {"add_eos", add_eos}};
  return sha256(key.dump()).substr(0, 32);
}

struct TokenCache::Unkept {
  explicit Unkept(const fs::path& folder) : writer(folder) {}

  CachedTokensWriter writer;
  std::string name;
};

std::span<const Token> TokenizedCorpus::document(int64_t index) const {
  const auto at = static_cast<size_t>(index);
  const int64_t begin = index == 0 ? 0 : document_ends[at - 1];
  return tokens.subspan(static_cast<size_t>(begin), static_cast<size_t>(document_ends[at] - begin));
}

std::string corpus_key(const Corpus& corpus) {
  if (reads_standard_input(corpus)) return "";
  const std::string hash = hash_files(corpus.files);
  return hash.empty() ? "" : corpus_key(corpus, hash);
}

TokenCache::TokenCache(fs::path folder) : folder_(std::move(folder)) {}

TokenCache::~TokenCache() = default;

TokenizedCorpus TokenCache::tokenize(const Corpus& corpus, const PipelineOptions& options) {
  std::error_code error;
  if (folder_.empty() || !fs::exists(folder_, error)) return tokenize_anew(corpus, options);
  const std::string key = corpus_key(corpus);
  if (key.empty()) return tokenize_anew(corpus, options);
  const fs::path path = folder_ / file_name(key);
  std::string damage;
  std::optional<TokenizedCorpus> kept = open_cached_tokens(path, damage);
  if (!damage.empty()) {
    log_warning("the cached tokens '" + path.string() + "' " + damage + ": tokenizing anew");
  }
  return kept ? std::move(*kept) : tokenize_anew(corpus, options);
}

TokenizedCorpus TokenCache::tokenize_anew(const Corpus& corpus, const PipelineOptions& options) {
  auto unkept = std::make_unique<Unkept>(folder_for_tokens(folder_));
  CachedTokensWriter& writer = unkept->writer;
  const CorpusSummary summary = for_each_block(
      corpus, options, [&](int64_t, const BlockTokens& tokens) { writer.add(tokens); });
  if (writer.num_tokens() == 0) {
    throw DataError("'" + corpus.files.front() + "'" +
                    (corpus.files.size() > 1 ? " and the other files hold" : " holds") +
                    " nothing but white space");
  }
  TokenizedCorpus tokenized = writer.finish(summary);
  if (!folder_.empty() && !reads_standard_input(corpus)) {
    unkept->name = file_name(corpus_key(corpus, summary.sha256));
    unkept_.push_back(std::move(unkept));
  }
  return tokenized;
}

void TokenCache::keep() {
  if (unkept_.empty()) return;
  make_folder(folder_);
  for (const auto& unkept : unkept_) unkept->writer.file().publish(folder_ / unkept->name);
  unkept_.clear();
}

}  // namespace pdl
