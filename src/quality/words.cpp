#include "pdl/quality/words.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace pdl {
namespace {

bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

void append_word(std::string_view raw, std::vector<std::string>& words) {
  while (!raw.empty() && is_punctuation(raw.front())) raw.remove_prefix(1);
  while (!raw.empty() && is_punctuation(raw.back())) raw.remove_suffix(1);
  if (raw.empty()) return;
  std::string& word = words.emplace_back(raw);
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
}

// Words / factors in one direction.
double words_per_factor(std::span<const int32_t> words, double threshold) {
  std::unordered_set<int32_t> types;
  int64_t length = 0;
  double ratio = 1;
  double factors = 0;
  for (const int32_t word : words) {
    ++length;
    types.insert(word);
    ratio = static_cast<double>(types.size()) / static_cast<double>(length);
    if (ratio > threshold) continue;
    factors += 1;
    types.clear();
    length = 0;
  }
  if (length > 0) factors += (1 - ratio) / (1 - threshold);
  if (factors == 0) factors = 1;  // all words are different
  return static_cast<double>(words.size()) / factors;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int64_t>(text.size());
  int64_t word = 0;
  int64_t at = 0;
  const auto end_word = [&](int64_t end) {
    append_word(text.substr(static_cast<size_t>(word), static_cast<size_t>(end - word)), words);
  };
  while (at < length) {
    const int64_t begin = at;
    UChar32 code_point = 0;
    U8_NEXT(bytes, at, length, code_point);
    if (code_point < 0 || u_isspace(code_point) == 0) continue;
    end_word(begin);
    word = at;
  }
  end_word(length);
  return words;
}

Samples word_ids(std::span<const std::string> texts) {
  std::unordered_map<std::string, int32_t> ids;
  Samples samples;
  for (const std::string& text : texts) {
    std::vector<int32_t>& sample = samples.emplace_back();
    for (const std::string& word : words_of(text))
      sample.push_back(ids.try_emplace(word, static_cast<int32_t>(ids.size())).first->second);
  }
  return samples;
}

std::optional<double> mattr(std::span<const int32_t> words, int64_t window) {
  if (words.empty()) return std::nullopt;
  const int64_t size = std::min(window, std::ssize(words));
  std::unordered_map<int32_t, int64_t> in_window;
  int64_t types = 0;  // of all windows
  for (int64_t i = 0; i < std::ssize(words); ++i) {
    ++in_window[words[static_cast<size_t>(i)]];
    if (i + 1 < size) continue;
    types += std::ssize(in_window);
    const auto first = in_window.find(words[static_cast<size_t>(i + 1 - size)]);
    if (--first->second == 0) in_window.erase(first);
  }
  const int64_t windows = std::ssize(words) - size + 1;
  return static_cast<double>(types) / static_cast<double>(size * windows);
}

std::optional<double> mtld(std::span<const int32_t> words, double threshold) {
  if (words.empty()) return std::nullopt;
  const std::vector<int32_t> reversed(words.rbegin(), words.rend());
  return (words_per_factor(words, threshold) + words_per_factor(reversed, threshold)) / 2;
}

}  // namespace pdl
