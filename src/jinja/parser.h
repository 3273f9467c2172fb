// Parses templates. Private to the module.
#pragma once

#include <memory>
#include <string_view>

#include "syntax_tree.h"

namespace pdl::jinja {

// Throws SyntaxError for text that is no template, or needs what is not supported.
std::unique_ptr<const SyntaxTree> parse(std::string_view text);

}  // namespace pdl::jinja
