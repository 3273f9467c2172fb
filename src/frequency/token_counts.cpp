#include "pdl/frequency/token_counts.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/unicode.h"
#include "table_json.h"

namespace pdl {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "pdl-frequency";
constexpr int kVersion = 1;
// A table of a million tokens takes some 10 MB; parsing takes up to thirty times as much as the
// file.
constexpr int64_t kMaxTableBytes = int64_t{16} << 20;

// Nesting is limited before the parser recurses. A key that is there twice could mean either value.
json parse_json(const std::string& text, const std::filesystem::path& path) {
  // The parser takes a NUL byte for the end of the text.
  const size_t nul = text.find('\0');
  if (nul != std::string::npos) {
    refuse_table(path, "is not JSON (byte " + std::to_string(nul) + ": a NUL byte)");
  }
  std::set<std::string> keys;
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > 2) refuse_table(path, "is nested too deeply");
    if (depth == 1 && event == json::parse_event_t::key &&
        !keys.insert(parsed.get<std::string>()).second) {
      refuse_table(path, "holds \"" + printable(parsed.get<std::string>()) + "\" twice");
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::parse_error& problem) {
    refuse_table(path, "is not JSON (byte " + std::to_string(problem.byte) + ")");
  } catch (const json::exception& problem) {
    refuse_table(path, std::string("cannot be read: ") + problem.what());
  }
}

std::vector<int64_t> parse_counts(const json& table, const std::filesystem::path& path) {
  const json& list = table.at("counts");
  std::vector<int64_t> counts;
  counts.reserve(list.size());
  int64_t total = 0;
  for (const json& value : list) {
    const std::string where = "counts[" + std::to_string(counts.size()) + "]";
    if (!value.is_number_integer()) refuse_table(path, "has a " + where + " that is no integer");
    const auto count = value.get<int64_t>();
    if (count < 0 || (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{kMaxTotal})) {
      refuse_table(path, "has a " + where + " out of range");
    }
    total += count;
    if (total > kMaxTotal) refuse_table(path, "counts more than 2^53 tokens");
    counts.push_back(count);
  }
  const bool consistent = table.at("vocab_size").is_number_integer() &&
                          table.at("total").is_number_integer() &&
                          table.at("vocab_size") == counts.size() && table.at("total") == total;
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

json read_table(const std::filesystem::path& path) {
  const std::string text = read_file<DataError>("frequency table", path, kMaxTableBytes);
  json object = parse_json(text, path);
  if (!object.is_object() || object.value("format", json()) != kFormat) {
    refuse_table(path, "is not one: \"format\" must be \"" + std::string(kFormat) + "\"");
  }
  if (object.value("version", json()) != kVersion) {
    refuse_table(path, "has another version than " + std::to_string(kVersion));
  }
  return object;
}

TokenCounts parse_table_fields(const json& object, const std::filesystem::path& path) {
  for (const char* key :
       {"vocab_size", "total", "counted", "tokenizer_sha256", "corpus_sha256", "counts"}) {
    if (!object.contains(key)) refuse_table(path, "lacks \"" + std::string(key) + "\"");
  }
  for (const char* key : {"counted", "tokenizer_sha256", "corpus_sha256"}) {
    if (!object.at(key).is_string())
      refuse_table(path, "has a \"" + std::string(key) + "\" that is no string");
  }
  if (!object.at("counts").is_array()) refuse_table(path, "has \"counts\" that are no array");
  const std::string counted = object.at("counted");
  if (counted != "targets" && counted != "reference") {
    refuse_table(path, "has a \"counted\" that is neither \"targets\" nor \"reference\"");
  }
  TokenCounts table;
  table.counts = parse_counts(object, path);
  table.counted = counted == "targets" ? Counted::kTargets : Counted::kReference;
  table.tokenizer_sha256 = object.at("tokenizer_sha256");
  table.corpus_sha256 = object.at("corpus_sha256");
  return table;
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
  return table;
}

std::string to_json(const TokenCounts& table) {
  nlohmann::ordered_json object = table_header(table);
  object["counts"] = table.counts;
  return object.dump() + "\n";
}

TokenCounts load_token_counts(const std::filesystem::path& path) {
  const json object = read_table(path);
  if (object.contains("shard") || object.contains("text_options")) {
    refuse_table(path, "is shard " + shown(parse_shard(object, path)) +
                           "; merge all shards with pdl-train count --merge");
  }
  return parse_table_fields(object, path);
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
