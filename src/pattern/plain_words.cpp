#include "plain_words.h"

#include <algorithm>
#include <string>

#include "pattern_cuts.h"

namespace pdl {
namespace {

constexpr std::string_view kLowercase = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr size_t kMaxNodes = 8;
constexpr size_t kTriedLetters = 2 * kMaxNodes;

size_t count_members(const CharacterSet& set, std::string_view letters) {
  return static_cast<size_t>(std::count_if(letters.begin(), letters.end(), [&](char letter) {
    return set.contains(static_cast<char32_t>(letter));
  }));
}

// Whether the part of a sequence that a plain word can reach takes all letters for the same. It
// ends at a character that must be there and is in no plain word, such as the quote of 's.
bool takes_letters_alike(const std::vector<PatternSequence>& alternatives,
                         std::string_view letters) {
  for (const PatternSequence& sequence : alternatives) {
    if (sequence.size() > kMaxNodes) return false;
    for (const PatternNode& node : sequence) {
      const bool is_set = node.kind == PatternNode::Kind::kSet;
      const size_t members = is_set ? count_members(node.set, letters) : 0;
      if (is_set && !node.is_optional() && members == 0 && !node.set.contains(' ')) break;
      const bool is_simple =
          node.min <= 1 && (node.max == 1 || node.max == PatternNode::kUnlimited);
      const bool is_alike = is_set ? members == 0 || members == letters.size()
                                   : takes_letters_alike(node.alternatives, letters);
      if (!is_simple || !is_alike) return false;
    }
  }
  return true;
}

bool matches_all_runs(std::string_view letters, std::string_view next,
                      const std::function<size_t(std::string_view text)>& match_length) {
  for (const char* blank : {"", " "}) {
    std::string word = blank;
    for (size_t i = 0; i < kTriedLetters; ++i) {
      word += letters[i * 7 % letters.size()];
      if (match_length(word + std::string(next)) != word.size()) return false;
    }
  }
  return true;
}

}  // namespace

PlainWords::PlainWords(const std::vector<PatternSequence>& alternatives,
                       const std::function<size_t(std::string_view text)>& match_length) {
  const std::string_view letters =
      takes_letters_alike(alternatives, kLetters) ? kLetters : kLowercase;
  if (!takes_letters_alike(alternatives, letters)) return;
  if (!matches_all_runs(letters, "", match_length)) return;
  for (const char letter : letters) kinds_[static_cast<unsigned char>(letter)] = Kind::kLetter;
  // What comes after a run is read, if at all, only to see that it is no letter.
  for (char32_t character = 0; character < 0x80; ++character) {
    const std::string next(1, static_cast<char>(character));
    const bool ends_word = !is_ascii_letter(character) &&
                           never_crosses_cut(alternatives, character) &&
                           matches_all_runs(letters, next, match_length);
    if (ends_word) kinds_[character] = Kind::kEnd;
  }
}

}  // namespace pdl
