#include "cut_rule.h"

#include <algorithm>

#include "pdl/pattern/character.h"

namespace pdl::tokenizer_json {
namespace {

// Returns the character of a `text` that has only one.
std::optional<char32_t> only_character(std::string_view text) {
  size_t end = 0;
  if (text.empty()) return std::nullopt;
  const char32_t character = next_character(text, end);
  return end == text.size() ? std::optional<char32_t>(character) : std::nullopt;
}

// What a blank between letters has become after the steps of the normalizer; nullopt: a step is not
// known to leave the letters, and all that a cut needs, as they are. Normal forms do not compose
// over a blank, and lower case goes character by character.
std::optional<char32_t> normalized_blank(const Normalizer& normalizer) {
  char32_t blank = ' ';
  for (const NormalizerStep& step : normalizer.steps()) {
    if (const auto* replace = std::get_if<Replace>(&step)) {
      const std::optional<char32_t> content = only_character(replace->content);
      const bool replaces_blank = replace->pattern_text == " " && blank == ' ';
      if (!replaces_blank || !content || is_ascii_letter(*content)) return std::nullopt;
      // A normal form must not follow: it could compose the new character with what is beside it.
      if (&step != &normalizer.steps().back()) return std::nullopt;
      blank = *content;
    }
  }
  return blank;
}

// Returns true if a token could end at the place, reach over it, or begin at it and ask for the
// character before.
bool may_touch_cut(const AddedToken& token, char32_t blank) {
  const std::string& text = token.pattern;
  bool last_is_letter = false;
  for (size_t at = 0; at < text.size();) {
    const bool is_first = at == 0;
    const char32_t character = next_character(text, at);
    const bool is_blank = character == ' ' || character == blank;
    if (is_blank && (last_is_letter || (is_first && token.single_word))) return true;
    last_is_letter = is_ascii_letter(character);
  }
  return last_is_letter;
}

// What is known of the place while the text goes through the stages.
struct Place {
  char32_t blank;            // what comes after the letter
  bool is_boundary = false;  // a split ends after the letter
  bool is_safe = true;
};

struct StageEffect {
  Place& place;

  void operator()(const SplitStage& stage) const {
    if (place.is_boundary) return;
    if (!stage.pattern.allows_cut(place.blank)) {
      place.is_safe = false;
      return;
    }
    const bool keeps_matches_apart = stage.behavior == SplitBehavior::kIsolated ||
                                     (stage.behavior == SplitBehavior::kRemoved && stage.invert);
    place.is_boundary = keeps_matches_apart && stage.pattern.matches_all_letters();
  }
  void operator()(const ByteLevelStage& stage) const {
    if (stage.add_prefix_space && !place.is_boundary && place.blank != ' ') place.is_safe = false;
    if (stage.split) (*this)(*stage.split);
  }
  void operator()(const DigitsStage&) const {}
  void operator()(const MetaspaceStage& stage) const {
    if (place.is_boundary) return;
    if (place.blank == ' ') place.blank = stage.replacement;
    if (place.blank != stage.replacement && stage.prepend != PrependScheme::kNever) {
      place.is_safe = false;
    }
    place.is_boundary = stage.split && place.blank == stage.replacement;
  }
  void operator()(const WhitespaceStage&) const {
    place.is_boundary = place.is_boundary || !is_word_character(place.blank);
  }
  void operator()(const WhitespaceSplitStage&) const {
    place.is_boundary = place.is_boundary || is_space(place.blank);
  }
};

}  // namespace

bool allows_cuts_at_blanks(const TokenizerParts& parts) {
  const std::optional<char32_t> blank = normalized_blank(parts.normalizer);
  if (!blank) return false;
  const bool tokens_stay_away =
      std::none_of(parts.added_tokens.begin(), parts.added_tokens.end(),
                   [&](const AddedToken& token) { return may_touch_cut(token, *blank); });
  if (!tokens_stay_away) return false;
  Place place{*blank};
  for (const PreTokenizerStage& stage : parts.pre_tokenizer.stages()) {
    std::visit(StageEffect{place}, stage);
  }
  const bool is_cut_for_model = parts.word_separator && place.blank == *parts.word_separator;
  return place.is_safe && (place.is_boundary || is_cut_for_model);
}

size_t find_blank_between_letters(std::string_view text, size_t from) {
  const auto is_letter = [&](size_t at) {
    return is_ascii_letter(static_cast<unsigned char>(text[at]));
  };
  size_t at = std::max<size_t>(from, 1);
  while ((at = text.find(' ', at)) != std::string_view::npos && at + 1 < text.size()) {
    if (is_letter(at - 1) && is_letter(at + 1)) return at;
    ++at;
  }
  return std::string_view::npos;
}

std::optional<char32_t> blank_of_words(const Normalizer& normalizer,
                                       const PreTokenizer& pre_tokenizer) {
  std::optional<char32_t> blank;
  for (const NormalizerStep& step : normalizer.steps()) {
    const auto* replace = std::get_if<Replace>(&step);
    if (replace != nullptr && replace->pattern_text == " ")
      blank = only_character(replace->content);
  }
  for (const PreTokenizerStage& stage : pre_tokenizer.stages()) {
    if (const auto* metaspace = std::get_if<MetaspaceStage>(&stage)) blank = metaspace->replacement;
  }
  return blank;
}

}  // namespace pdl::tokenizer_json
