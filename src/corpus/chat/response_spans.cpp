#include "response_spans.h"

#include <algorithm>
#include <optional>
#include <set>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using jinja::Span;

[[noreturn]] void fail_ambiguous(size_t index, const std::string& why) {
  throw DataError("message " + std::to_string(index + 1) +
                  " cannot be told from the rest of what the chat template renders: " + why +
                  "; use a template with {% generation %}");
}

// The place of one content.
struct Place {
  size_t begin = 0;
  size_t end = 0;
  bool is_empty = true;
};

std::optional<Place> place_of(const jinja::Text& text, int32_t origin) {
  std::optional<Place> place;
  for (const Span& span : text.spans) {
    if (span.origin != origin) continue;
    const bool is_empty = span.begin == span.end;
    if (!place || (place->is_empty && (!is_empty || span.begin > place->begin))) {
      place = Place{span.begin, span.end, is_empty};
    } else if (!is_empty) {
      place->begin = std::min(place->begin, span.begin);
      place->end = std::max(place->end, span.end);
    }
  }
  return place;
}

// A template may take a content apart and put it together again, as it does with a thought; its own
// words between the parts, or before them, may then be those of the content.
void widen_to(const std::string& content, const jinja::Text& text, Place& place) {
  const std::string_view whole = without_outer_white_space(content);
  if (place.is_empty || whole.size() <= place.end - place.begin) return;
  const size_t first = place.end > whole.size() ? place.end - whole.size() : 0;
  for (size_t begin = first; begin <= place.begin; ++begin) {
    if (text.bytes.compare(begin, whole.size(), whole) != 0) continue;
    place.begin = begin;
    place.end = begin + whole.size();
    return;
  }
}

void require_own(const jinja::Text& text, size_t index, const Place& place) {
  for (const Span& span : text.spans) {
    if (span.begin >= place.end || span.end <= place.begin || span.begin == span.end) continue;
    if (span.origin == content_origin(index) || span.origin == jinja::kGenerationOrigin) continue;
    fail_ambiguous(index, "other parts of the chat lie within its content");
  }
}

// The assistant's messages of which something lies within a span.
std::set<size_t> messages_within(const jinja::Text& text, const Span& block,
                                 const std::vector<ChatTurn>& turns) {
  std::set<size_t> messages;
  for (const Span& span : text.spans) {
    const bool is_within = span.begin >= block.begin && span.end <= block.end;
    if (span.origin < 0 || !is_within || span.begin == span.end) continue;
    const auto index = static_cast<size_t>(span.origin / 2);
    if (index < turns.size() && turns[index].is_assistant) messages.insert(index);
  }
  return messages;
}

}  // namespace

std::vector<ResponseSpan> generated_spans(const jinja::Text& text,
                                          const std::vector<ChatTurn>& turns) {
  const bool all_trained = std::all_of(turns.begin(), turns.end(), [](const ChatTurn& turn) {
    return turn.trained || !turn.is_assistant;
  });
  std::vector<ResponseSpan> spans;
  for (const Span& block : text.spans) {
    if (block.origin != jinja::kGenerationOrigin || block.begin == block.end) continue;
    bool trained = true;
    if (!all_trained) {
      const std::set<size_t> messages = messages_within(text, block, turns);
      if (messages.size() != 1) {
        throw DataError(
            "a {% generation %} block of the chat template belongs to no message or to several, "
            "and some are not trained; train all of them or leave the record out");
      }
      trained = turns[*messages.begin()].trained;
    }
    spans.push_back({block.begin, block.end, trained, /*takes_end=*/false});
  }
  std::sort(spans.begin(), spans.end(),
            [](const ResponseSpan& a, const ResponseSpan& b) { return a.begin < b.begin; });
  // A block within another is a part of it.
  std::vector<ResponseSpan> outer;
  for (const ResponseSpan& span : spans) {
    if (outer.empty() || span.begin >= outer.back().end) outer.push_back(span);
  }
  return outer;
}

std::vector<ResponseSpan> content_spans(const jinja::Text& text, const std::vector<ChatTurn>& turns,
                                        bool of_all) {
  std::vector<ResponseSpan> spans;
  const bool is_mixed = std::any_of(text.spans.begin(), text.spans.end(), [](const Span& span) {
    return span.origin == jinja::kMixedOrigin && span.begin < span.end;
  });
  for (size_t i = 0; i < turns.size(); ++i) {
    const ChatTurn& turn = turns[i];
    if (!turn.is_assistant && !(of_all && !turn.trained)) continue;
    if (is_mixed) fail_ambiguous(i, "it computes a text of several messages");
    std::optional<Place> place = place_of(text, content_origin(i));
    if (!place) continue;                               // the template leaves it out
    if (place->is_empty && turn.calls_tools) continue;  // and what ends it is a call
    require_own(text, i, *place);
    widen_to(turn.content, text, *place);
    require_own(text, i, *place);
    spans.push_back({place->begin, place->end, turn.trained, /*takes_end=*/true});
  }
  std::stable_sort(spans.begin(), spans.end(), [](const ResponseSpan& a, const ResponseSpan& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  return spans;
}

}  // namespace pdl
