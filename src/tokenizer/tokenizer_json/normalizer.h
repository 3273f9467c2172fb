// The "normalizer" of the file, which changes a text before it is split.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "json_document.h"
#include "pdl/pattern/pattern.h"

namespace pdl::tokenizer_json {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
struct Lowercase {};
struct Replace {
  std::string pattern_text;  // of a string; "" for a regular expression
  Pattern pattern;
  std::string content;
};
struct Prepend {
  std::string text;
};
using NormalizerStep = std::variant<NormalForm, Lowercase, Replace, Prepend>;

// Immutable; may be used from several threads at once.
class Normalizer {
 public:
  Normalizer() = default;  // changes nothing
  // Throws ModelError for a kind that is not supported.
  Normalizer(const JsonValue& value, const JsonBlame& blame, const std::string& place);

  const std::vector<NormalizerStep>& steps() const { return steps_; }
  // Returns false if the text is surely not changed.
  bool may_change(std::string_view text) const;
  // `goes_on`: the text is cut from a longer one and nothing is put before it. Throws DataError if
  // a pattern takes too many tries, or the text becomes many times as long.
  std::string apply(std::string_view text, bool goes_on) const;

 private:
  void add(const JsonValue& value, const JsonBlame& blame, const std::string& place);

  std::vector<NormalizerStep> steps_;
};

}  // namespace pdl::tokenizer_json
