// "… %s" % values and "… {}".format(values).

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "strings.h"
#include "text_builder.h"

namespace pdl::jinja {
namespace {

std::string fixed(double number, int digits) {
  char buffer[512];
  const int size = std::snprintf(buffer, sizeof buffer, "%.*f", digits, number);
  return {buffer, static_cast<size_t>(std::clamp<int>(size, 0, sizeof buffer - 1))};
}

// One %-format after its '%': s, d, i, .Nf or f.
class PercentFormat {
 public:
  PercentFormat(std::string_view format, size_t& at) {
    if (at < format.size() && format[at] == '.') {
      const char* begin = format.data() + at + 1;
      const auto end = std::from_chars(begin, format.data() + format.size(), digits_);
      if (end.ec != std::errc() || digits_ > 100) digits_ = -1;
      at += 1 + static_cast<size_t>(end.ptr - begin);
      has_digits_ = true;
    }
    kind_ = at < format.size() ? format[at] : '\0';
    ++at;
    const bool is_known = has_digits_ ? kind_ == 'f' && digits_ >= 0
                                      : std::string_view("sdif").find(kind_) != std::string::npos;
    if (kind_ == '\0' || !is_known) {
      fail("formats '" + printable(format, 40) + "' with %, of which this is not supported");
    }
  }

  Text apply(const Value& value, Budget& budget) const {
    if (kind_ == 's') return to_text(value, budget);
    const auto number = value.number();
    if (!number) {
      require_defined(value);
      fail("formats " + kind_of(value) + " as a number");
    }
    if (kind_ == 'f') return {fixed(*number, has_digits_ ? digits_ : 6)};
    if (const auto whole = value.integer()) return {std::to_string(*whole)};
    if (!(std::fabs(*number) < 9e18))
      fail("formats a number beyond 64 bits, which is not supported");
    return {std::to_string(static_cast<int64_t>(*number))};
  }

 private:
  char kind_ = 's';
  bool has_digits_ = false;
  int digits_ = 6;
};

}  // namespace

Text formatted_by_percent(const Text& format, const Value& values, Budget& budget) {
  if (format.is_markup) fail("formats a safe text, which is not supported");
  const Sequence* sequence = values.sequence();
  const bool is_tuple = sequence != nullptr && sequence->kind == Sequence::Kind::kTuple;
  const std::vector<Value> given = is_tuple ? sequence->items : std::vector<Value>{values};
  TextBuilder result(budget);
  size_t used = 0;
  size_t begin = 0;
  for (size_t at = 0; (at = format.bytes.find('%', begin)) != std::string::npos;) {
    result.append(part_of(format, begin, at));
    ++at;
    if (format.bytes.compare(at, 1, "%") == 0) {
      result.append("%");
      begin = at + 1;
      continue;
    }
    if (format.bytes.compare(at, 1, "(") == 0)
      fail("formats by name with %, which is not supported");
    const PercentFormat one(format.bytes, at);
    if (used == given.size()) fail("has too few values for a format with %");
    result.append(one.apply(given[used++], budget));
    begin = at;
  }
  // A dict is one value that need not be used.
  if (used < given.size() && !(values.dict() != nullptr || (sequence != nullptr && !is_tuple))) {
    fail("has too many values for a format with %");
  }
  result.append(part_of(format, begin, format.bytes.size()));
  return result.take();
}

namespace {

[[noreturn]] void fail_format(const Text& format) {
  fail("formats '" + printable(format.bytes, 40) + "', of which something is not supported");
}

// The value that `{field}` names: by its place, the next one, or by name.
const Value& field_of(const Text& format, std::string_view field, const CallArguments& arguments,
                      size_t& next) {
  if (field.empty()) {
    if (next >= arguments.positional.size()) fail("has too few values for a format");
    return arguments.positional[next++];
  }
  size_t index = 0;
  const auto end = std::from_chars(field.data(), field.data() + field.size(), index);
  if (end.ec == std::errc() && end.ptr == field.data() + field.size()) {
    if (index >= arguments.positional.size()) fail("has too few values for a format");
    return arguments.positional[index];
  }
  if (field.find_first_of(":!.[") != std::string_view::npos) fail_format(format);
  for (const auto& [name, value] : arguments.named) {
    if (name == field) return value;
  }
  fail("has no value '" + printable(field, 40) + "' for a format");
}

}  // namespace

Text formatted_by_braces(const Text& format, const CallArguments& arguments, Budget& budget) {
  if (format.is_markup) fail("formats a safe text, which is not supported");
  TextBuilder result(budget);
  size_t next = 0;
  size_t begin = 0;
  for (size_t at = 0; (at = format.bytes.find_first_of("{}", begin)) != std::string::npos;) {
    result.append(part_of(format, begin, at));
    if (format.bytes.compare(at + 1, 1, format.bytes, at, 1) == 0) {
      result.append(part_of(format, at, at + 1));
      begin = at + 2;
      continue;
    }
    const size_t end = format.bytes.find('}', at);
    if (format.bytes[at] == '}' || end == std::string::npos) fail_format(format);
    const std::string field = format.bytes.substr(at + 1, end - at - 1);
    if (!field.empty() && (field.front() == ':' || field.front() == '!')) fail_format(format);
    result.append(to_text(field_of(format, field, arguments, next), budget));
    begin = end + 1;
  }
  result.append(part_of(format, begin, format.bytes.size()));
  return result.take();
}

}  // namespace pdl::jinja
