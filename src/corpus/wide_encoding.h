// Recognises text in code units of two or four bytes, most of which are also valid UTF-8.
#pragma once

#include <string_view>

namespace pdl {

// Returns "UTF-16LE", "UTF-16BE", "UTF-32LE" or "UTF-32BE" if `bytes`, the beginning of a file,
// look like that, else "". A byte order mark of one of them decides. Without a mark, at least two
// code units are needed, and
//
//   UTF-32  every unit is a code point below 0x40000, and one of them is not 0
//   UTF-16  at least 3/4 of the high bytes are below 0x20, which are those of all alphabets, and at
//           least 1/32 are NUL, those of ASCII; of the low bytes at most an eighth as many are NUL
//
// UTF-8 with a NUL here and there is neither: there, NULs stand at odd and at even places, and
// between them is text.
std::string_view wide_encoding_of(std::string_view bytes);

}  // namespace pdl
