#include "pdl/frequency/shard_counts.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/config/config_table.h"
#include "pdl/corpus/chat_format.h"
#include "table_json.h"

namespace pdl {
namespace {

// The fields of TextOptions by their names in run.json. That of chat_date is none of them: where it
// matters, the fingerprint of the chat template, which stands for its name here, depends on it.
constexpr std::array<std::string_view, 9> kTextKeys = {
    "text_document", "text_field",           "prompt_field", "completion_field", "messages_field",
    "chat_template", "completion_only_loss", "add_bos",      "add_eos"};

ConfigValue text_value(std::string_view key, const TextOptions& text) {
  RunConfig config;
  config.text = text;
  return find_config_key(key)->get(config);
}

nlohmann::ordered_json text_json(const TextOptions& text) {
  nlohmann::ordered_json object;
  for (const std::string_view key : kTextKeys) {
    std::visit([&](const auto& value) { object[std::string(key)] = value; }, text_value(key, text));
  }
  return object;
}

void read_option(ObjectReader& options, const ConfigKey& key, RunConfig& config) {
  if (key.kind == KeyKind::kBool) {
    key.set(config, options.boolean(key.name));
    return;
  }
  const std::string& value = options.string(key.name);
  if (key.kind == KeyKind::kChoice &&
      std::find(key.choices.begin(), key.choices.end(), value) == key.choices.end()) {
    options.fail_at(key.name, "is not one of this version; count this shard again");
  }
  if (key.name == "chat_template" && !ChatFormat::is_fingerprint(value)) {
    options.fail_at(key.name, "is not one of this version; count this shard again");
  }
  key.set(config, value);
}

TextOptions parse_text_options(ObjectReader& table, const std::filesystem::path& path) {
  if (!table.has("text_options")) {
    refuse_table(path, "has no \"text_options\" of this version; count this shard again");
  }
  ObjectReader options = table.object("text_options");
  RunConfig config;
  for (const std::string_view name : kTextKeys)
    read_option(options, *find_config_key(name), config);
  options.finish();
  return config.text;
}

// ------------------------------------------------------------------ merging

// The name in quotes; of a long path the file's name alone, so that two fit on a line.
std::string quoted_name(const NamedShardCounts& shard) {
  constexpr size_t kMaxBytes = 60;
  if (shard.name.size() <= kMaxBytes) return "'" + shard.name + "'";
  const std::string file = std::filesystem::path(shard.name).filename().string();
  return "'…/" + printable(file, kMaxBytes) + "'";
}

[[noreturn]] void refuse_pair(const NamedShardCounts& first, const NamedShardCounts& second,
                              const std::string& why) {
  throw DataError("shards " + quoted_name(first) + " and " + quoted_name(second) + " " + why);
}

void require_same_text(const NamedShardCounts& first, const NamedShardCounts& second) {
  for (const std::string_view key : kTextKeys) {
    const ConfigValue one = text_value(key, first.counts.text);
    const ConfigValue other = text_value(key, second.counts.text);
    if (one == other) continue;
    refuse_pair(first, second,
                "were counted with different text options: " + std::string(key) + " is " +
                    shown(one) + " and " + shown(other) + "; count both with the same");
  }
}

void require_same_whole(const NamedShardCounts& first, const NamedShardCounts& second) {
  const TokenCounts& one = first.counts.table;
  const TokenCounts& other = second.counts.table;
  if (first.counts.shard.count != second.counts.shard.count) {
    refuse_pair(first, second,
                "are shard " + shown(first.counts.shard) + " and shard " +
                    shown(second.counts.shard) + "; merge the shards of one count alone");
  }
  if (one.tokenizer_sha256 != other.tokenizer_sha256) {
    refuse_pair(first, second,
                "were counted with different tokenizers (tokenizer_sha256); count both with one");
  }
  if (one.vocab_size() != other.vocab_size()) {
    refuse_pair(first, second,
                "have different vocabularies, of " + std::to_string(one.vocab_size()) + " and " +
                    std::to_string(other.vocab_size()) + " tokens; count both with one tokenizer");
  }
  if (one.corpus_sha256 != other.corpus_sha256) {
    refuse_pair(first, second,
                "are of different corpora (corpus_sha256); count both with the same files in the "
                "same order");
  }
  if (one.counted != other.counted) {
    refuse_pair(first, second, "count different things: one \"targets\", one \"reference\"");
  }
  require_same_text(first, second);
}

// "3, 5-6, 9 and more": the indices in [0, count) that are not in `present`, which is increasing.
std::string missing_indices(const std::vector<int64_t>& present, int64_t count) {
  constexpr int kMaxRanges = 8;
  std::string list;
  int ranges = 0;
  int64_t next = 0;
  for (size_t i = 0; i <= present.size(); ++i) {
    const int64_t end = i < present.size() ? present[i] : count;
    if (next < end) {
      if (++ranges > kMaxRanges) return list + " and more";
      list += (list.empty() ? "" : ", ") + std::to_string(next);
      if (end - next > 1) list += "-" + std::to_string(end - 1);
    }
    if (i < present.size()) next = end + 1;
  }
  return list;
}

void require_each_once(const std::vector<NamedShardCounts>& shards) {
  std::vector<const NamedShardCounts*> order;
  for (const NamedShardCounts& shard : shards) order.push_back(&shard);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->counts.shard.index < b->counts.shard.index;
  });
  std::vector<int64_t> present;
  for (size_t i = 0; i < order.size(); ++i) {
    const Shard& shard = order[i]->counts.shard;
    if (i > 0 && order[i - 1]->counts.shard.index == shard.index) {
      refuse_pair(*order[i - 1], *order[i],
                  "overlap: both are shard " + shown(shard) + "; leave one out");
    }
    present.push_back(shard.index);
  }
  const int64_t count = shards.front().counts.shard.count;
  const std::string missing = missing_indices(present, count);
  if (missing.empty()) return;
  throw DataError("of the " + std::to_string(count) + " shards to which " +
                  quoted_name(shards.front()) + " belongs these are missing: " + missing +
                  "; count and merge them, too");
}

void add_table(const NamedShardCounts& shard, TokenCounts& whole, int64_t& total) {
  for (size_t token = 0; token < whole.counts.size(); ++token) {
    const int64_t count = shard.counts.table.counts[token];
    if (__builtin_add_overflow(total, count, &total) || total > kMaxTotal) {
      throw DataError("with shard " + quoted_name(shard) +
                      " the shards count more than 2^53 tokens, which no table may");
    }
    whole.counts[token] += count;
  }
}

}  // namespace

std::string shown(const Shard& shard) {
  return std::to_string(shard.index) + " of " + std::to_string(shard.count);
}

Shard parse_shard(ObjectReader& table, const std::filesystem::path& path) {
  ObjectReader shard = table.object("shard");
  const Shard parsed{.index = shard.integer("index"), .count = shard.integer("count")};
  if (parsed.index < 0 || parsed.index >= parsed.count) {
    refuse_table(path, "says to be shard " + shown(parsed) + "; count this shard again");
  }
  return parsed;
}

std::string to_json(const ShardCounts& counts) {
  nlohmann::ordered_json object = table_header(counts.table);
  object["shard"] = {{"index", counts.shard.index}, {"count", counts.shard.count}};
  object["text_options"] = text_json(counts.text);
  object["counts"] = counts.table.counts;
  return object.dump() + "\n";
}

ShardCounts load_shard_counts(const std::filesystem::path& path) {
  const JsonBlame blame = table_blame(path);
  const JsonValue root = read_table(path, blame);
  ObjectReader table(root, blame);
  if (!table.has("shard")) {
    refuse_table(path, "is no shard but a whole table; merge only what count --shard wrote");
  }
  return {.table = parse_table_fields(table, path),
          .shard = parse_shard(table, path),
          .text = parse_text_options(table, path)};
}

TokenCounts merge_token_counts(const std::vector<NamedShardCounts>& shards) {
  if (shards.empty()) throw DataError("there is no shard to merge");
  for (const NamedShardCounts& shard : shards) require_same_whole(shards.front(), shard);
  require_each_once(shards);
  TokenCounts whole = shards.front().counts.table;
  std::fill(whole.counts.begin(), whole.counts.end(), 0);
  int64_t total = 0;
  for (const NamedShardCounts& shard : shards) add_table(shard, whole, total);
  if (total == 0) {
    throw DataError("the shards " + quoted_name(shards.front()) +
                    " and so on counted no token: the corpus holds nothing but white space");
  }
  return whole;
}

}  // namespace pdl
