#include "pdl/jinja/text.h"

#include <algorithm>

namespace pdl::jinja {

void Text::append(const Text& more) {
  const size_t offset = bytes.size();
  for (const Span& span : more.spans) {
    const Span moved{span.begin + offset, span.end + offset, span.origin};
    Span* last = spans.empty() ? nullptr : &spans.back();
    if (last != nullptr && last->end == moved.begin && last->origin == moved.origin) {
      // A text that is put together character by character would have many.
      last->end = moved.end;
    } else if (last != nullptr && last->begin == moved.begin && last->end == moved.begin) {
      *last = moved;
    } else {
      spans.push_back(moved);
    }
  }
  bytes += more.bytes;
}

Text part_of(const Text& text, size_t begin, size_t end) {
  Text part{text.bytes.substr(begin, end - begin)};
  for (const Span& span : text.spans) {
    if (span.begin > end || span.end < begin) continue;
    const size_t first = std::max(span.begin, begin);
    const size_t last = std::min(span.end, end);
    // Of a span that the part only touches, an empty one is left.
    part.spans.push_back({first - begin, last - begin, span.origin});
  }
  return part;
}

Text computed_from(const Text& source, std::string bytes) {
  Text result{std::move(bytes)};
  if (source.spans.empty()) return result;
  const int32_t origin = source.spans.front().origin;
  const bool is_one = std::all_of(source.spans.begin(), source.spans.end(),
                                  [&](const Span& span) { return span.origin == origin; });
  result.spans.push_back({0, result.bytes.size(), is_one ? origin : kMixedOrigin});
  return result;
}

}  // namespace pdl::jinja
