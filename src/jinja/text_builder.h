// Puts a text together within the limits of a rendering. Private to the module.
#pragma once

#include <string_view>
#include <utility>

#include "budget.h"
#include "pdl/jinja/text.h"

namespace pdl::jinja {

class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget) : budget_(budget) {}

  void append(const Text& more) {
    budget_.take_bytes(more.bytes.size());
    text_.append(more);
    budget_.require_size(text_.bytes.size());
  }
  void append(std::string_view more) {
    budget_.take_bytes(more.size());
    text_.append(more);
    budget_.require_size(text_.bytes.size());
  }
  // The span of what was appended since the text had `begin` bytes.
  void mark(size_t begin, int32_t origin) {
    text_.spans.push_back({begin, text_.bytes.size(), origin});
  }
  size_t size() const { return text_.bytes.size(); }
  Text take() { return std::move(text_); }

 private:
  Budget& budget_;
  Text text_;
};

}  // namespace pdl::jinja
