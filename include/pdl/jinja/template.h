// Templates in the part of Jinja that the chat templates of published models use.
//
// The text is what Jinja 3.1 renders with the settings of transformers' apply_chat_template():
// trim_blocks, lstrip_blocks, loop controls, {% generation %}, a `tojson` that keeps what is not
// ASCII, `raise_exception` and `strftime_now`. What is not supported is refused, never rendered
// otherwise.
//
// A template sees its variables alone: no file, no clock, no attribute of this program. Steps,
// bytes and nesting are limited, so that rendering ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/jinja/value.h"

namespace pdl::jinja {

// A day of the Gregorian calendar, from 0001-01-01 to 9999-12-31.
struct Date {
  int year = 1970;
  int month = 1;  // from 1
  int day = 1;    // from 1
};

// How far a rendering may go.
struct RenderLimits {
  int64_t max_steps = 5'000'000;        // expressions, items and, 64 for one, bytes
  size_t max_bytes = size_t{64} << 20;  // of one string, and so of the output
};

struct SyntaxTree;

// Immutable; may be rendered by several threads at once.
class Template {
 public:
  // `name` is for messages, e.g. the path of the file. Throws ModelError with name and line for
  // text that is no template, and for a tag, filter or test that is not supported.
  Template(std::string_view text, std::string name);
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  // Renders with variables by their names. `strftime_now` sees the first moment of `date`. The
  // spans of the result are those of the variables' strings, and kGenerationOrigin for each {%
  // generation
  // %} block. Throws DataError with name and line if the template raises an exception, does what
  // Python refuses or what is not supported, or exceeds a limit.
  Text render(const std::vector<std::pair<std::string, Value>>& variables, const Date& date,
              const RenderLimits& limits = {}) const;

  // As it was given.
  const std::string& name() const { return name_; }
  // Whether it has a {% generation %} block.
  bool marks_generation() const;
  // Whether the text may depend on the date.
  bool uses_date() const;

 private:
  std::string name_;
  std::unique_ptr<const SyntaxTree> tree_;
};

}  // namespace pdl::jinja
