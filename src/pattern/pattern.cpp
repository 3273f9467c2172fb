#include "pdl/pattern/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "pattern_cuts.h"
#include "pattern_syntax.h"
#include "pcre2_expression.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"
#include "plain_words.h"

namespace pdl {
namespace {

// Some seconds; an ordinary word takes less than a hundred.
constexpr uint32_t kMaxTries = 100'000'000;
constexpr size_t kFirstStackBytes = size_t{32} << 10;
constexpr size_t kMaxStackBytes = size_t{64} << 20;

// The memory that a match writes to: one for each thread.
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

// An expression as PCRE2 has compiled it.
class CompiledExpression {
 public:
  explicit CompiledExpression(const std::string& expression) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                          PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    if (code_ == nullptr) throw std::invalid_argument(message_of(error));
    is_native_ = pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE) == 0;
  }
  ~CompiledExpression() { pcre2_code_free(code_); }
  CompiledExpression(const CompiledExpression&) = delete;
  CompiledExpression& operator=(const CompiledExpression&) = delete;

  bool matches_empty() const {
    uint32_t matches = 0;
    pcre2_pattern_info(code_, PCRE2_INFO_MATCHEMPTY, &matches);
    return matches != 0;
  }

  int match(std::string_view text, size_t from, const MatchSpace& space) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    if (is_native_) {
      return pcre2_jit_match(code_, subject, text.size(), from, 0, space.data, space.context);
    }
    return pcre2_match(code_, subject, text.size(), from, PCRE2_NO_UTF_CHECK, space.data,
                       space.context);
  }

 private:
  pcre2_code* code_ = nullptr;
  bool is_native_ = false;  // compiled to machine code
};

}  // namespace

struct Pattern::State {
  std::string text;  // of a literal; the expression as the file has it
  std::vector<PatternSequence> alternatives;
  std::optional<CompiledExpression> compiled;  // none for a literal
  PlainWords plain_words;
};

Pattern::Pattern(std::unique_ptr<State> state) : state_(std::move(state)) {}
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

Pattern Pattern::literal(std::string text) {
  if (text.empty()) throw std::invalid_argument("an empty string is not supported");
  auto state = std::make_unique<State>();
  PatternSequence& characters = state->alternatives.emplace_back();
  for (size_t at = 0; at < text.size();) {
    const char32_t character = next_character(text, at);
    characters.emplace_back().set.ranges = {{character, character}};
  }
  state->text = std::move(text);
  return Pattern(std::move(state));
}

Pattern Pattern::regex(const std::string& expression) {
  auto state = std::make_unique<State>();
  state->text = expression;
  state->alternatives = parse_pattern(expression);
  state->compiled.emplace(pcre2_expression(state->alternatives));
  if (state->compiled->matches_empty()) {
    throw std::invalid_argument("an expression that matches an empty text is not supported");
  }
  Pattern pattern(std::move(state));
  pattern.state_->plain_words =
      PlainWords(pattern.state_->alternatives, [&](std::string_view text) {
        TextSpan match{};
        try {
          return pattern.find(text, 0, match) && match.begin == 0 ? match.end : 0;
        } catch (const DataError&) {  // too many tries: such a word is left to find()
          return size_t{0};
        }
      });
  return pattern;
}

bool Pattern::find(std::string_view text, size_t from, TextSpan& match) const {
  if (!state_->compiled) {
    const size_t begin = text.find(state_->text, from);
    match = {begin, begin + state_->text.size()};
    return begin != std::string_view::npos;
  }
  if (from >= text.size()) return false;
  if (const size_t end = state_->plain_words.find_end(text, from); end != 0) {
    match = {from, end};
    return true;
  }
  thread_local const MatchSpace space;
  const int result = state_->compiled->match(text, from, space);
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    throw DataError("the tokenizer's pattern \"" + printable(state_->text) +
                    "\" cannot be matched against a text of " + std::to_string(text.size()) +
                    " bytes: " + message_of(result) + "; split the document");
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(space.data);
  match = {bounds[0], bounds[1]};
  return true;
}

bool Pattern::allows_cut(char32_t separator) const {
  return never_crosses_cut(state_->alternatives, separator);
}

bool Pattern::matches_all_letters() const { return covers_letters(state_->alternatives); }

}  // namespace pdl
