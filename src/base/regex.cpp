#include "pdl/base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

struct Regex::State {
  std::string expression;
  pcre2_code* code = nullptr;
  pcre2_match_data* match_data = nullptr;
  pcre2_match_context* match_context = nullptr;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    pcre2_match_context_free(match_context);
    pcre2_match_data_free(match_data);
    pcre2_code_free(code);
  }
};

Regex::Regex(const std::string& expression) : state_(std::make_unique<State>()) {
  state_->expression = expression;
  int error = 0;
  PCRE2_SIZE offset = 0;
  state_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                               PCRE2_UTF, &error, &offset, nullptr);
  if (state_->code == nullptr) {
    throw ConfigError("\"" + printable(expression) + "\" is not a regular expression: " +
                      message_of(error) + " at byte " + std::to_string(offset));
  }
  constexpr uint32_t kMaxTries = 1'000'000;  // some milliseconds
  state_->match_data = pcre2_match_data_create(1, nullptr);
  state_->match_context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(state_->match_context, kMaxTries);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

bool Regex::search(std::string_view text) const {
  const int result = pcre2_match(state_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                 text.size(), 0, 0, state_->match_data, state_->match_context);
  if (result >= 0) return true;
  if (result == PCRE2_ERROR_NOMATCH) return false;
  throw ConfigError("\"" + printable(state_->expression) + "\" cannot be matched against '" +
                    printable(text) + "': " + message_of(result) +
                    "; simplify the regular expression");
}

}  // namespace pdl
