// The "pre_tokenizer" of the file, which splits a text into words.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "json_document.h"
#include "pdl/pattern/pattern.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl::tokenizer_json {

// What becomes of the matches of a split. Between two matches and at the ends lie gaps.
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct SplitStage {
  Pattern pattern;
  SplitBehavior behavior;
  bool invert;  // gaps count as matches and matches as gaps
};
struct ByteLevelStage {
  bool add_prefix_space;
  std::optional<SplitStage> split;
};
struct DigitsStage {
  bool individual;
};
enum class PrependScheme { kAlways, kFirst, kNever };
struct MetaspaceStage {
  char32_t replacement;
  std::string written;  // the replacement as UTF-8
  PrependScheme prepend;
  bool split;
};
struct WhitespaceStage {};       // \w+|[^\w\s]+
struct WhitespaceSplitStage {};  // \S+
using PreTokenizerStage = std::variant<SplitStage, ByteLevelStage, DigitsStage, MetaspaceStage,
                                       WhitespaceStage, WhitespaceSplitStage>;

// Reads the members of a Metaspace, which may be a decoder, too. Throws ModelError if they do not
// agree.
MetaspaceStage read_metaspace(ObjectReader& reader);

// Immutable; may be used from several threads at once.
class PreTokenizer {
 public:
  PreTokenizer() = default;  // one word
  // Throws ModelError for a kind that is not supported.
  PreTokenizer(const JsonValue& value, const JsonBlame& blame, const std::string& place);

  const std::vector<PreTokenizerStage>& stages() const { return stages_; }
  // Appends the words of `text` to `list`; `is_first`: the document begins with it; `goes_on`: it
  // is cut from a longer text and nothing is put before it. Throws DataError if a pattern takes too
  // many tries.
  void split(std::string_view text, bool is_first, bool goes_on, WordList& list) const;

 private:
  void add(const JsonValue& value, const JsonBlame& blame, const std::string& place);

  std::vector<PreTokenizerStage> stages_;
};

}  // namespace pdl::tokenizer_json
