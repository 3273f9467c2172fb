// The end of a text whose bytes come one after another.
#pragma once

#include <cstddef>
#include <string_view>

namespace pdl {

// Returns the number of bytes at the end of `bytes`, at most 3, that begin a character of
// well-formed UTF-8 without completing it.
size_t size_of_incomplete_end(std::string_view bytes);

}  // namespace pdl
