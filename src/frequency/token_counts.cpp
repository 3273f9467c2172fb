#include "pdl/frequency/token_counts.h"

#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "table_json.h"

namespace pdl {
namespace {

constexpr const char* kFormat = "pdl-frequency";
constexpr int kVersion = 1;
// A table of a million tokens takes some 10 MB; parsing takes up to thirty times as much as the
// file.
constexpr int64_t kMaxTableBytes = int64_t{16} << 20;

// The reading goes on after 1e400, so that its place is named.
constexpr JsonRules kRules = {
    .max_depth = 2, .byte_order_mark = true, .numbers_beyond_double = true};

std::vector<int64_t> parse_counts(ObjectReader& table, const std::filesystem::path& path) {
  std::vector<int64_t> counts = table.integers("counts", 0, kMaxTotal);
  int64_t total = 0;
  for (const int64_t count : counts) {
    total += count;
    if (total > kMaxTotal) refuse_table(path, "counts more than 2^53 tokens");
  }
  const bool consistent = table.integer("vocab_size", 1, kMaxTotal) == std::ssize(counts) &&
                          table.integer("total", 0, kMaxTotal) == total;
  if (!consistent || counts.empty()) {
    refuse_table(path, "has a vocab_size or total that does not agree with its counts");
  }
  return counts;
}

}  // namespace

void refuse_table(const std::filesystem::path& path, const std::string& why) {
  throw DataError("frequency table '" + path.string() + "' " + why);
}

nlohmann::ordered_json table_header(const TokenCounts& table) {
  nlohmann::ordered_json object;
  object["format"] = kFormat;
  object["version"] = kVersion;
  object["vocab_size"] = table.vocab_size();
  object["total"] = table.total();
  object["counted"] = table.counted == Counted::kTargets ? "targets" : "reference";
  object["tokenizer_sha256"] = table.tokenizer_sha256;
  object["corpus_sha256"] = table.corpus_sha256;
  return object;
}

JsonBlame table_blame(const std::filesystem::path& path) {
  return JsonBlame::of<DataError>("frequency table '" + path.string() + "' cannot be used: ");
}

JsonValue read_table(const std::filesystem::path& path, const JsonBlame& blame) {
  const std::string text = read_file<DataError>("frequency table", path, kMaxTableBytes);
  JsonValue root = parse_json(text, kRules, blame);
  ObjectReader table(root, blame);
  const JsonValue* format = table.find("format");
  if (format == nullptr || !format->is_string() || format->text() != kFormat) {
    refuse_table(path, "is not one: \"format\" must be \"" + std::string(kFormat) + "\"");
  }
  const JsonValue* version = table.find("version");
  if (version == nullptr || !version->is_number() || version->number() != kVersion) {
    refuse_table(path, "has another version than " + std::to_string(kVersion));
  }
  return root;
}

TokenCounts parse_table_fields(ObjectReader& table, const std::filesystem::path& path) {
  const std::string& counted = table.string("counted");
  if (counted != "targets" && counted != "reference") {
    refuse_table(path, "has a \"counted\" that is neither \"targets\" nor \"reference\"");
  }
  return {.counts = parse_counts(table, path),
          .counted = counted == "targets" ? Counted::kTargets : Counted::kReference,
          .tokenizer_sha256 = table.string("tokenizer_sha256"),
          .corpus_sha256 = table.string("corpus_sha256")};
}

int64_t TokenCounts::total() const {
  int64_t sum = 0;
  for (const int64_t count : counts) sum += count;
  return sum;
}

void add_counts(std::span<const Token> tokens, Counted counted, std::vector<int64_t>& counts) {
  for (const Token& token : tokens) {
    if (counted == Counted::kTargets && !token.is_trained()) continue;
    const int32_t id = token.id();
    if (id < 0 || static_cast<size_t>(id) >= counts.size()) {
      throw DataError("token id " + std::to_string(id) + " is outside the vocabulary of " +
                      std::to_string(counts.size()) + " tokens");
    }
    ++counts[static_cast<size_t>(id)];
  }
}

std::vector<int64_t> count_targets(const Sequences& rows, int64_t vocab_size) {
  std::vector<int64_t> counts(static_cast<size_t>(vocab_size));
  for (int64_t row = 0; row < rows.size(); ++row)
    add_counts(rows.tokens(row).subspan(1), Counted::kTargets, counts);
  return counts;
}

TokenCounts count_corpus(const Corpus& corpus, PipelineOptions options) {
  const auto width = static_cast<size_t>(corpus.vocab_size);
  std::vector<std::vector<int64_t>> counts(static_cast<size_t>(options.num_threads),
                                           std::vector<int64_t>(width));
  options.in_order = false;
  const CorpusSummary summary =
      for_each_block(corpus, options, [&](int64_t thread, const BlockTokens& block) {
        add_counts(block.tokens, Counted::kReference, counts[static_cast<size_t>(thread)]);
      });
  log_empty_documents(summary.document_counts);
  TokenCounts table;
  table.counts.resize(width);
  for (const std::vector<int64_t>& of_thread : counts) {
    for (size_t id = 0; id < width; ++id) table.counts[id] += of_thread[id];
  }
  if (table.total() == 0 && options.num_shards == 1) {
    throw DataError("'" + corpus.files.front() + "'" +
                    (corpus.files.size() > 1 ? " and the other files hold" : " holds") +
                    " nothing but white space");
  }
  table.counted = Counted::kReference;
  table.tokenizer_sha256 = corpus.tokenizer == nullptr ? "" : corpus.tokenizer->sha256();
  table.corpus_sha256 = summary.sha256;
  table.notes = summary.notes;
  return table;
}

std::string to_json(const TokenCounts& table) {
  nlohmann::ordered_json object = table_header(table);
  object["counts"] = table.counts;
  return object.dump() + "\n";
}

TokenCounts load_token_counts(const std::filesystem::path& path) {
  const JsonBlame blame = table_blame(path);
  const JsonValue root = read_table(path, blame);
  ObjectReader table(root, blame);
  if (table.has("shard") || table.has("text_options")) {
    refuse_table(path, "is shard " + shown(parse_shard(table, path)) +
                           "; merge all shards with pdl-train count --merge");
  }
  return parse_table_fields(table, path);
}

TokenCounts fit_to_model(TokenCounts table, const Tokenizer* tokenizer, int64_t vocab_size,
                         const std::string& name) {
  if (table.tokenizer_sha256 != (tokenizer == nullptr ? "" : tokenizer->sha256())) {
    throw DataError("frequency table '" + name + "' was counted with another tokenizer" +
                    (tokenizer == nullptr ? "; give tokenizer_path, or count the ids"
                                          : "; count again with this one"));
  }
  if (tokenizer != nullptr && table.vocab_size() == tokenizer->size() &&
      vocab_size > tokenizer->size()) {
    table.counts.resize(static_cast<size_t>(vocab_size));
  }
  if (table.vocab_size() != vocab_size) {
    throw DataError("frequency table '" + name + "' has " + std::to_string(table.vocab_size()) +
                    " tokens, but the model's logits have " + std::to_string(vocab_size) +
                    "; count again with this model");
  }
  return table;
}

}  // namespace pdl
