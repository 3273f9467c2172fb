#include "read_pattern.h"

#include <stdexcept>

namespace pdl::tokenizer_json {

Pattern read_pattern(ObjectReader& reader, std::string* literal) {
  const JsonValue& value = reader.required("pattern", JsonValue::Kind::kObject);
  ObjectReader choice(value, reader.blame(), reader.place_of("pattern"));
  const std::string text = choice.string_or_empty("String");
  const bool is_regex = choice.find("Regex") != nullptr;
  if (is_regex == (choice.find("String") != nullptr)) choice.fail("must be a String or a Regex");
  try {
    Pattern pattern = is_regex ? Pattern::regex(choice.string("Regex")) : Pattern::literal(text);
    choice.finish();
    if (literal != nullptr) *literal = text;
    return pattern;
  } catch (const std::invalid_argument& problem) {
    reader.fail_at("pattern", problem.what());
  }
}

}  // namespace pdl::tokenizer_json
