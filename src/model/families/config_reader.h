// The keys of one config.json, read with defaults and checked to the last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/base/json.h"
#include "pdl/model/families/decoder_spec.h"

namespace pdl {

// A key that is null counts as missing. Every function throws the error of the blame for a value of
// another type or beyond its range.
class ConfigReader {
 public:
  explicit ConfigReader(ObjectReader object) : object_(std::move(object)) {}

  // The value, or `fallback` where the key is missing. Sizes are from 1 to a limit that keeps
  // products of three within int64_t. Counts of layers have one that keeps a list of all tensors
  // small, because it is made before the files are read. Lengths are of sequences and have nothing
  // allocated for them.
  int64_t size(std::string_view key, int64_t fallback);
  int64_t layer_count(std::string_view key, int64_t fallback);
  int64_t length(std::string_view key, int64_t fallback);
  double number(std::string_view key, double fallback);
  double non_negative(std::string_view key, double fallback);
  double positive(std::string_view key, double fallback);
  double probability(std::string_view key, double fallback = 0);
  bool flag(std::string_view key, bool fallback = false);
  std::string text(std::string_view key, const std::string& fallback);
  std::optional<int64_t> optional_size(std::string_view key);
  std::optional<int64_t> optional_length(std::string_view key);
  double optional_positive(std::string_view key);  // 0: missing
  Activation activation(std::string_view key, const std::string& fallback);
  // "layer_types": whether each of `num_layers` layers is a sliding one. nullopt: missing.
  std::optional<std::vector<bool>> sliding_layers(int64_t num_layers);

  // Refuses `key` if it is true.
  void refuse_true(std::string_view key);
  // Refuse a key that the family does not read, unless its value says what the family does anyhow.
  // Files of other programs and versions have such keys.
  void expect_true(std::string_view key);
  void expect(std::string_view key, double value);
  void expect(std::string_view key, std::string_view value);
  // The key has no effect.
  void pass_over(std::string_view key) { object_.ignore(key); }
  ObjectReader& object() { return object_; }

  // Throws the error about the member `key` and shows its value; `why` follows.
  [[noreturn]] void fail(std::string_view key, const std::string& why);

  // Refuses the keys that nobody has asked for, but those without effect.
  void finish(const std::string& family);

 private:
  ObjectReader object_;
};

}  // namespace pdl
