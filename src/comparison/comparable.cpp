// What compared runs must share.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "compared_run.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/comparison/comparison.h"

namespace pdl {
namespace {

// What is compared, or changes neither what is trained nor what is evaluated. A learning rate is
// chosen for each alpha.
constexpr std::array<std::string_view, 12> kFreeKeys = {
    "pdl_alpha",        "seed",          "output_dir",    "num_threads",
    "device",           "logging_steps", "save_steps",    "tensorboard",
    "save_total_limit", "max_minutes",   "learning_rate", "resume_from_checkpoint"};
constexpr std::string_view kFreePrefix = "sample_";

bool equal(const JsonValue& one, const JsonValue& other) {
  if (one.is_number() && other.is_number()) {
    const bool are_integers =
        one.is(JsonValue::Kind::kInteger) && other.is(JsonValue::Kind::kInteger);
    return are_integers ? one.integer() == other.integer() : one.number() == other.number();
  }
  if (one.kind() != other.kind()) return false;
  if (one.is_string()) return one.text() == other.text();
  if (one.is(JsonValue::Kind::kBoolean)) return one.boolean() == other.boolean();
  return one.keys() == other.keys() &&
         std::equal(one.items().begin(), one.items().end(), other.items().begin(),
                    other.items().end(), equal);
}

const JsonValue* find(const JsonValue& object, std::string_view key) {
  const auto found = std::find(object.keys().begin(), object.keys().end(), key);
  if (found == object.keys().end()) return nullptr;
  return &object.items()[static_cast<size_t>(found - object.keys().begin())];
}

// Short, because two values and two folders stand in one line.
std::string value_text(const JsonValue* value) {
  constexpr size_t kMaxBytes = 30;
  if (value == nullptr) return "missing";
  if (!value->is(JsonValue::Kind::kArray)) return printable(describe(*value), kMaxBytes);
  std::string text;
  for (const JsonValue& item : value->items()) text += (text.empty() ? "" : ", ") + describe(item);
  return "[" + printable(text, kMaxBytes) + "]";
}

[[noreturn]] void refuse(const ComparedRun& one, const ComparedRun& other, const std::string& what,
                         const std::string& of_one, const std::string& of_other,
                         const std::string& advice) {
  throw ConfigError(what + ": " + of_one + " and " + of_other + ", in runs '" +
                    one.folder.string() + "' and '" + other.folder.string() + "'; " + advice);
}

void require_same_value(const ComparedRun& one, const ComparedRun& other, const std::string& key) {
  if (may_differ_between_runs(key)) return;
  const JsonValue* of_one = find(one.config, key);
  const JsonValue* of_other = find(other.config, key);
  if (of_one != nullptr && of_other != nullptr && equal(*of_one, *of_other)) return;
  refuse(one, other, printable(key) + " differs", value_text(of_one), value_text(of_other),
         "compare runs that differ in pdl_alpha and seed alone");
}

constexpr const char* kSameData =
    "train both on the same files, which must not change between the runs";

void require_same_documents(const ComparedRun& one, const ComparedRun& other) {
  const RunDocuments& first = one.documents;
  const RunDocuments& second = other.documents;
  if (first.taus != second.taus) {
    refuse(one, other, "eval_bias_grid differs in documents.jsonl",
           std::to_string(first.taus.size()) + " taus from " + std::to_string(first.taus.front()),
           std::to_string(second.taus.size()) + " taus from " + std::to_string(second.taus.front()),
           "evaluate both on the same grid");
  }
  if (first.sums.size() != second.sums.size()) {
    refuse(one, other, "eval_files held other documents", std::to_string(first.sums.size()),
           std::to_string(second.sums.size()), kSameData);
  }
  for (size_t i = 0; i < first.sums.size(); ++i) {
    if (first.sums[i].tokens != second.sums[i].tokens) {
      refuse(one, other, "eval_files held other targets in document " + std::to_string(i),
             std::to_string(first.sums[i].tokens), std::to_string(second.sums[i].tokens),
             kSameData);
    }
    const auto [in_first, in_second] = std::mismatch(
        first.band_tokens[i].begin(), first.band_tokens[i].end(), second.band_tokens[i].begin());
    if (in_first == first.band_tokens[i].end()) continue;
    const auto band = static_cast<size_t>(in_first - first.band_tokens[i].begin());
    refuse(one, other,
           "eval_files or train_files were others: targets of band " +
               std::string(kFrequencyBands[band].name) + " in document " + std::to_string(i),
           std::to_string(*in_first), std::to_string(*in_second), kSameData);
  }
}

}  // namespace

bool may_differ_between_runs(std::string_view key) {
  return key.starts_with(kFreePrefix) ||
         std::find(kFreeKeys.begin(), kFreeKeys.end(), key) != kFreeKeys.end();
}

void require_comparable(const ComparedRun& one, const ComparedRun& other) {
  for (const std::string& key : one.config.keys()) require_same_value(one, other, key);
  for (const std::string& key : other.config.keys()) require_same_value(one, other, key);
  require_same_documents(one, other);
}

}  // namespace pdl
