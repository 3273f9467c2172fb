// The words of a text and figures of how varied they are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/quality/ngrams.h"

namespace pdl {

// Returns the words of `text`: it is split at white space (as Python's str.split() does), ASCII
// punctuation is taken off both ends, what is empty then is dropped, ASCII letters become small.
// Bytes that are no UTF-8 are part of their words.
std::vector<std::string> words_of(std::string_view text);

// Returns the words of each text as ids, which are equal where the words are.
Samples word_ids(std::span<const std::string> texts);

// The moving-average type-token ratio (Covington and McFall 2010): the mean, over all windows of
// `window` words in a row, of different words / words. With no more words than a window, their
// ratio. None without words.
std::optional<double> mattr(std::span<const int32_t> words, int64_t window = 50);

// The measure of textual lexical diversity (McCarthy and Jarvis 2010): words / factors, the mean of
// both directions. A factor ends with the word at which different words / words, since the last
// factor, is no longer above `threshold`; what is left at the end is a part of one. All words
// different: their number. None without words.
std::optional<double> mtld(std::span<const int32_t> words, double threshold = 0.72);

}  // namespace pdl
