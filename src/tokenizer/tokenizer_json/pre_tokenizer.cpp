#include "pre_tokenizer.h"

#include <array>
#include <utility>

#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"
#include "read_pattern.h"
#include "split_regrouper.h"

namespace pdl::tokenizer_json {
namespace {

// What ByteLevel splits by if it is not told otherwise.
constexpr const char* kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Two stages can make two words of one, and known files have six. Each stage of a run has its own
// frame on the stack, too.
constexpr size_t kMaxStages = 12;

// Runs a text through the stages, depth first, so that words come out in order.
class Run {
 public:
  // `continuation` is the text if it goes on from an earlier one.
  Run(const std::vector<PreTokenizerStage>& stages, bool is_first, const char* continuation,
      WordList& list)
      : stages_(stages), is_first_(is_first), continuation_(continuation), list_(list) {}

  void run(size_t stage, std::string_view text) {
    if (text.empty()) return;
    if (stage == stages_.size()) {
      list_.words.push_back({text, Word::kNoId});
      return;
    }
    std::visit([&](const auto& kind) { apply(kind, stage + 1, text); }, stages_[stage]);
  }

 private:
  template <class Spans>
  void regroup(SplitBehavior behavior, size_t next, std::string_view text, Spans spans) {
    SplitRegrouper regrouper(behavior, [&](TextSpan span) {
      run(next, text.substr(span.begin, span.end - span.begin));
    });
    spans(regrouper);
    regrouper.finish();
  }

  // Each character for which `is_match` holds is a match of its own.
  template <class Predicate>
  void split_at_characters(SplitBehavior behavior, size_t next, std::string_view text,
                           Predicate is_match) {
    regroup(behavior, next, text, [&](auto& regrouper) {
      size_t gap = 0;
      for (size_t at = 0; at < text.size();) {
        const size_t begin = at;
        if (!is_match(next_character(text, at))) continue;
        if (gap < begin) regrouper.add({gap, begin}, false);
        regrouper.add({begin, at}, true);
        gap = at;
      }
      if (gap < text.size()) regrouper.add({gap, text.size()}, false);
    });
  }

  void apply(const SplitStage& stage, size_t next, std::string_view text) {
    regroup(stage.behavior, next, text, [&](auto& regrouper) {
      size_t gap = 0;
      for (TextSpan match{}; stage.pattern.find(text, gap, match); gap = match.end) {
        if (gap < match.begin) regrouper.add({gap, match.begin}, stage.invert);
        regrouper.add(match, !stage.invert);
      }
      if (gap < text.size()) regrouper.add({gap, text.size()}, stage.invert);
    });
  }

  void apply(const ByteLevelStage& stage, size_t next, std::string_view text) {
    if (stage.add_prefix_space && text.front() != ' ' && !goes_on(text)) {
      text = list_.storage.emplace_back(" " + std::string(text));
    }
    if (stage.split) {
      apply(*stage.split, next, text);
    } else {
      run(next, text);
    }
  }

  void apply(const DigitsStage& stage, size_t next, std::string_view text) {
    const SplitBehavior behavior =
        stage.individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
    split_at_characters(behavior, next, text, is_numeric);
  }

  void apply(const MetaspaceStage& stage, size_t next, std::string_view text) {
    const bool begins_with_space = text.front() == ' ' || text.starts_with(stage.written);
    const bool may_prepend = stage.prepend == PrependScheme::kAlways ||
                             (stage.prepend == PrependScheme::kFirst && is_first_);
    std::string& replaced = list_.storage.emplace_back();
    replaced.reserve(text.size() + text.size() / 2);
    if (may_prepend && !begins_with_space && !goes_on(text)) replaced += stage.written;
    for (const char byte : text) {
      if (byte == ' ') {
        replaced += stage.written;
      } else {
        replaced += byte;
      }
    }
    if (goes_on(text)) continuation_ = replaced.data();
    if (stage.split) {
      split_at_characters(SplitBehavior::kMergedWithNext, next, replaced,
                          [&](char32_t character) { return character == stage.replacement; });
    } else {
      run(next, replaced);
    }
  }

  void apply(const WhitespaceStage&, size_t next, std::string_view text) {
    enum class Kind { kSpace, kWord, kOther };
    const auto kind_of = [](char32_t character) {
      if (is_word_character(character)) return Kind::kWord;
      return is_space(character) ? Kind::kSpace : Kind::kOther;
    };
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const Kind kind = kind_of(next_character(text, at));
      for (size_t after = at; at < text.size(); at = after) {
        if (kind_of(next_character(text, after)) != kind) break;
      }
      if (kind != Kind::kSpace) run(next, text.substr(begin, at - begin));
    }
  }

  void apply(const WhitespaceSplitStage&, size_t next, std::string_view text) {
    split_at_characters(SplitBehavior::kRemoved, next, text, is_space);
  }

  // Whether `text` is what comes first in a text that goes on from an earlier one.
  bool goes_on(std::string_view text) const { return text.data() == continuation_; }

  const std::vector<PreTokenizerStage>& stages_;
  bool is_first_;
  const char* continuation_;  // nullptr: the text does not go on
  WordList& list_;
};

// Returns the value of `names` whose name the key has.
template <class Value, size_t N>
Value choice(ObjectReader& reader, std::string_view key,
             const std::array<std::pair<std::string_view, Value>, N>& names) {
  const std::string& name = reader.string(key);
  for (const auto& [known, value] : names) {
    if (known == name) return value;
  }
  reader.fail_at(key, "\"" + printable(name) + "\" is not supported");
}

SplitStage read_split(ObjectReader& reader) {
  constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors = {
      {{"Isolated", SplitBehavior::kIsolated},
       {"Removed", SplitBehavior::kRemoved},
       {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
       {"MergedWithNext", SplitBehavior::kMergedWithNext},
       {"Contiguous", SplitBehavior::kContiguous}}};
  Pattern pattern = read_pattern(reader);
  return {std::move(pattern), choice(reader, "behavior", kBehaviors), reader.boolean("invert")};
}

ByteLevelStage read_byte_level(ObjectReader& reader) {
  reader.ignore("trim_offsets");
  ByteLevelStage stage{reader.boolean("add_prefix_space"), std::nullopt};
  if (reader.boolean_or("use_regex", true)) {
    stage.split = SplitStage{Pattern::regex(kGpt2Expression), SplitBehavior::kIsolated, false};
  }
  return stage;
}

PreTokenizerStage read_stage(const std::string& type, ObjectReader& reader) {
  if (type == "Split") return read_split(reader);
  if (type == "ByteLevel") return read_byte_level(reader);
  if (type == "Digits") return DigitsStage{reader.boolean("individual_digits")};
  if (type == "Metaspace") return read_metaspace(reader);
  if (type == "Whitespace") return WhitespaceStage{};
  if (type == "WhitespaceSplit") return WhitespaceSplitStage{};
  reader.fail_at("type", "\"" + printable(type) + "\" is a pre-tokenizer that is not supported");
}

}  // namespace

MetaspaceStage read_metaspace(ObjectReader& reader) {
  constexpr std::array<std::pair<std::string_view, PrependScheme>, 3> kSchemes = {
      {{"always", PrependScheme::kAlways},
       {"first", PrependScheme::kFirst},
       {"never", PrependScheme::kNever}}};
  reader.ignore("str_rep");
  MetaspaceStage stage{};
  stage.written = reader.string("replacement");
  size_t end = 0;
  if (!stage.written.empty()) stage.replacement = next_character(stage.written, end);
  if (end == 0 || end != stage.written.size()) {
    reader.fail_at("replacement", "\"" + printable(stage.written) + "\" is not one character");
  }
  const bool has_scheme = reader.find("prepend_scheme") != nullptr;
  stage.prepend = has_scheme ? choice(reader, "prepend_scheme", kSchemes) : PrependScheme::kAlways;
  if (!reader.boolean_or("add_prefix_space", true) && stage.prepend != PrependScheme::kNever) {
    reader.fail_at("add_prefix_space", "does not agree with prepend_scheme");
  }
  stage.split = reader.boolean_or("split", true);
  return stage;
}

PreTokenizer::PreTokenizer(const JsonValue& value, const JsonBlame& blame,
                           const std::string& place) {
  add(value, blame, place);
}

void PreTokenizer::add(const JsonValue& value, const JsonBlame& blame, const std::string& place) {
  ObjectReader reader(value, blame, place);
  const std::string type = reader.string("type");
  if (type == "Sequence") {
    const JsonValue& parts = reader.required("pretokenizers", JsonValue::Kind::kArray);
    for (size_t i = 0; i < parts.items().size(); ++i) {
      add(parts.items()[i], blame, element_place(reader.place_of("pretokenizers"), i));
    }
  } else {
    if (!stages_.empty() && std::holds_alternative<ByteLevelStage>(stages_.back())) {
      reader.fail("after ByteLevel is not supported");
    }
    if (stages_.size() == kMaxStages) {
      reader.fail("is one of more than " + std::to_string(kMaxStages) + " pre-tokenizers");
    }
    stages_.push_back(read_stage(type, reader));
  }
  reader.finish();
}

void PreTokenizer::split(std::string_view text, bool is_first, bool goes_on, WordList& list) const {
  Run(stages_, is_first, goes_on ? text.data() : nullptr, list).run(0, text);
}

}  // namespace pdl::tokenizer_json
