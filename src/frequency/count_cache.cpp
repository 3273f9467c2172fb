#include "pdl/frequency/count_cache.h"

#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/tokens/tokenized_corpus.h"
#include "table_json.h"

namespace pdl {
namespace {

// The table with the notes on its corpus, which are none of its own fields.
std::string kept_json(const TokenCounts& table) {
  nlohmann::ordered_json object = table_header(table);
  object["notes"] = to_json(table.notes);
  object["counts"] = table.counts;
  return object.dump() + "\n";
}

TokenCounts load_kept(const std::filesystem::path& path) {
  const JsonBlame blame = table_blame(path);
  const JsonValue root = read_table(path, blame);
  ObjectReader reader(root, blame);
  TokenCounts table = parse_table_fields(reader, path);
  const std::optional<CorpusNotes> notes = parse_corpus_notes(reader.string("notes"));
  if (!notes) refuse_table(path, "has damaged notes");
  table.notes = *notes;
  return table;
}

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
      return load_kept(path);
    } catch (const DataError& damage) {
      log_warning(std::string(damage.what()) + ": counting anew");
    }
  }
  TokenCounts table = count_corpus(corpus, options);
  // The files may have changed since they were hashed for the key.
  const std::string counted_key = corpus_key(corpus, table.corpus_sha256);
  unkept_.push_back({folder_ / file_name(corpus, counted_key), kept_json(table)});
  return table;
}

void CountCache::keep() {
  if (unkept_.empty()) return;
  make_folder(folder_);
  for (const Unkept& table : unkept_) write_file_durably(table.path, table.json);
  unkept_.clear();
}

}  // namespace pdl
