#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <new>
#include <stdexcept>

#include "pattern_cuts.h"
#include "pcre2_expression.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl::tokenizer_json {
namespace {

// Some seconds; an ordinary word takes less than a hundred.
constexpr uint32_t kMaxTries = 100'000'000;
constexpr size_t kFirstStackBytes = size_t{32} << 10;
constexpr size_t kMaxStackBytes = size_t{64} << 20;

// What a match needs to write to: one for each thread.
struct MatchSpace {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(kFirstStackBytes, kMaxStackBytes, nullptr);

  MatchSpace() {
    if (data == nullptr || context == nullptr || stack == nullptr) throw std::bad_alloc();
    pcre2_set_match_limit(context, kMaxTries);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~MatchSpace() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
  MatchSpace(const MatchSpace&) = delete;
  MatchSpace& operator=(const MatchSpace&) = delete;
};

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

struct Pattern::Compiled {
  pcre2_code* code = nullptr;
  bool is_native = false;  // compiled to machine code

  explicit Compiled(const std::string& expression) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                         PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    if (code == nullptr) throw std::invalid_argument(message_of(error));
    is_native = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
  }
  ~Compiled() { pcre2_code_free(code); }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;

  bool matches_empty() const {
    uint32_t matches = 0;
    pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &matches);
    return matches != 0;
  }

  int match(std::string_view text, size_t from, const MatchSpace& space) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    if (is_native) {
      return pcre2_jit_match(code, subject, text.size(), from, 0, space.data, space.context);
    }
    return pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, space.data,
                       space.context);
  }
};

Pattern::Pattern() = default;
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

Pattern Pattern::literal(std::string text) {
  if (text.empty()) throw std::invalid_argument("an empty string is not supported");
  Pattern pattern;
  pattern.alternatives_.emplace_back();
  for (size_t at = 0; at < text.size();) {
    const char32_t character = next_character(text, at);
    PatternNode node;
    node.set.ranges = {{character, character}};
    pattern.alternatives_.back().push_back(std::move(node));
  }
  pattern.text_ = std::move(text);
  return pattern;
}

Pattern Pattern::regex(const std::string& expression) {
  Pattern pattern;
  pattern.text_ = expression;
  pattern.alternatives_ = parse_pattern(expression);
  pattern.compiled_ = std::make_unique<Compiled>(pcre2_expression(pattern.alternatives_));
  if (pattern.compiled_->matches_empty()) {
    throw std::invalid_argument("an expression that matches an empty text is not supported");
  }
  pattern.plain_words_ = PlainWords(pattern.alternatives_, [&](std::string_view text) {
    Span match{};
    try {
      return pattern.find(text, 0, match) && match.begin == 0 ? match.end : 0;
    } catch (const DataError&) {  // too many tries: such a word is left to find()
      return size_t{0};
    }
  });
  return pattern;
}

bool Pattern::find(std::string_view text, size_t from, Span& match) const {
  if (compiled_ == nullptr) {
    const size_t begin = text.find(text_, from);
    match = {begin, begin + text_.size()};
    return begin != std::string_view::npos;
  }
  if (from >= text.size()) return false;
  if (const size_t end = plain_words_.find_end(text, from); end != 0) {
    match = {from, end};
    return true;
  }
  thread_local const MatchSpace space;
  const int result = compiled_->match(text, from, space);
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    throw DataError("the tokenizer's pattern \"" + printable(text_) +
                    "\" cannot be matched against a text of " + std::to_string(text.size()) +
                    " bytes: " + message_of(result) + "; split the document");
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(space.data);
  match = {bounds[0], bounds[1]};
  return true;
}

bool Pattern::allows_cut(char32_t separator) const {
  return never_crosses_cut(alternatives_, separator);
}

bool Pattern::matches_all_letters() const { return covers_letters(alternatives_); }

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
