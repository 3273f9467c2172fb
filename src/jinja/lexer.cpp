#include "lexer.h"

#include <array>
#include <cstdint>
#include <optional>

#include "characters.h"
#include "pdl/base/unicode.h"

namespace pdl::jinja {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
bool is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}
bool is_high(char byte) { return static_cast<unsigned char>(byte) >= 0x80; }

// Lines end with \n, and one at the end of the text is dropped.
std::string with_plain_newlines(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      plain += text[i];
      continue;
    }
    plain += '\n';
    if (text.substr(i + 1).starts_with('\n')) ++i;
  }
  if (plain.ends_with('\n')) plain.pop_back();
  return plain;
}

int digit_value(char byte) {
  if (is_digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return 99;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : plain_(with_plain_newlines(text)), text_(plain_) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) read_until_tag();
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { throw SyntaxError{line_, message}; }

  bool follows(std::string_view written) const { return text_.substr(at_).starts_with(written); }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  void move_to(size_t end) {
    for (; at_ < end; ++at_) {
      if (text_[at_] == '\n') ++line_;
    }
  }

  // The white space control after `{%` and the like: '-', '+' or none.
  char sign_at(size_t at) const {
    return at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : '\0';
  }

  size_t find_tag() const {
    for (size_t at = at_; (at = text_.find('{', at)) != kNowhere; ++at) {
      if (at + 1 < text_.size() &&
          (text_[at + 1] == '{' || text_[at + 1] == '%' || text_[at + 1] == '#')) {
        return at;
      }
    }
    return kNowhere;
  }

  // Text before a tag with this white space control.
  std::string_view stripped_before(std::string_view data, char sign, bool is_output) const {
    if (sign == '-') return data.substr(0, end_without_white_space(data));
    if (sign == '+' || is_output) return data;
    const size_t newline = data.rfind('\n');
    const size_t begin = newline == kNowhere ? 0 : newline + 1;
    if (begin == 0 && !starts_line_) return data;
    return skip_white_space(data, begin) == data.size() ? data.substr(0, begin) : data;
  }

  void add_data(std::string_view data, char sign, bool is_output) {
    const std::string_view kept = stripped_before(data, sign, is_output);
    if (!kept.empty()) add(TokenKind::kData, std::string(kept));
  }

  void read_until_tag() {
    const size_t tag = find_tag();
    if (tag == kNowhere) {
      add(TokenKind::kData, std::string(text_.substr(at_)));
      return move_to(text_.size());
    }
    const std::string_view data = text_.substr(at_, tag - at_);
    const char kind = text_[tag + 1];
    const char sign = sign_at(tag + 2);
    add_data(data, sign, kind == '{');
    move_to(tag);
    const size_t inside = tag + (sign == '\0' ? 2 : 3);
    if (kind == '#') return read_comment(inside);
    if (kind == '%' && read_raw(inside)) return;
    add(kind == '{' ? TokenKind::kOutputBegin : TokenKind::kStatementBegin, "");
    move_to(inside);
    read_tag(kind == '{');
  }

  // After the end of a tag that is `sign` and two more bytes.
  void end_tag(size_t after, char sign, bool trims) {
    size_t end = after;
    if (sign == '-') {
      end = skip_white_space(text_, after);
    } else if (trims && sign != '+' && text_.substr(after).starts_with('\n')) {
      ++end;
    }
    move_to(end);
    starts_line_ = text_[end - 1] == '\n';
  }

  void read_comment(size_t inside) {
    const size_t end = text_.find("#}", inside);
    if (end == kNowhere) fail("has a comment without an end");
    const char sign = end > inside ? sign_at(end - 1) : '\0';
    end_tag(end + 2, sign, /*trims=*/true);
  }

  // `{% raw %}` … `{% endraw %}`. Returns false if the tag is another.
  bool read_raw(size_t inside) {
    const std::optional<size_t> word = skip_word(inside, "raw");
    if (!word) return false;
    size_t at = *word;
    const char begin_sign = sign_at(at);
    if (begin_sign == '+') return false;
    if (begin_sign == '-') ++at;
    if (!text_.substr(at).starts_with("%}")) return false;
    at += 2;
    if (begin_sign == '-') at = skip_white_space(text_, at);
    const size_t content = at;
    for (; (at = text_.find("{%", at)) != kNowhere; ++at) {
      const char sign = sign_at(at + 2);
      const std::optional<size_t> end = skip_word(at + (sign == '\0' ? 2 : 3), "endraw");
      if (!end) continue;
      const char end_sign = sign_at(*end);
      const size_t close = *end + (end_sign == '\0' ? 0 : 1);
      if (!text_.substr(close).starts_with("%}")) continue;
      starts_line_ = text_[content - 1] == '\n';
      move_to(content);
      add_data(text_.substr(content, at - content), sign, /*is_output=*/false);
      end_tag(close + 2, end_sign, /*trims=*/true);
      return true;
    }
    fail("has {% raw %} without {% endraw %}");
  }

  // The offset after white space, `word` and white space; nullopt if they are not there.
  std::optional<size_t> skip_word(size_t at, std::string_view word) const {
    at = skip_white_space(text_, at);
    if (!text_.substr(at).starts_with(word)) return std::nullopt;
    return skip_white_space(text_, at + word.size());
  }

  void read_tag(bool is_output) {
    std::string open;  // the brackets that are to be closed
    while (true) {
      if (open.empty() && read_tag_end(is_output)) return;
      const size_t next = skip_white_space(text_, at_);
      if (next != at_) {
        move_to(next);
        continue;
      }
      if (at_ >= text_.size()) fail("has a tag without an end");
      if (is_digit(text_[at_])) {
        read_number();
      } else if (is_letter(text_[at_]) || is_high(text_[at_])) {
        read_name();
      } else if (text_[at_] == '"' || text_[at_] == '\'') {
        read_string();
      } else {
        read_operator(open);
      }
    }
  }

  bool read_tag_end(bool is_output) {
    const std::string_view end = is_output ? "}}" : "%}";
    const char sign = sign_at(at_);
    if (is_output && sign == '+') return false;
    const size_t at = at_ + (sign == '\0' ? 0 : 1);
    if (!text_.substr(at).starts_with(end)) return false;
    add(is_output ? TokenKind::kOutputEnd : TokenKind::kStatementEnd, "");
    end_tag(at + 2, sign, /*trims=*/!is_output);
    return true;
  }

  // Digits with single underscores between them.
  size_t skip_digits(size_t at, int base) const {
    while (at < text_.size()) {
      const size_t digit = text_[at] == '_' ? at + 1 : at;
      if (digit >= text_.size() || digit_value(text_[digit]) >= base) break;
      at = digit + 1;
    }
    return at;
  }

  void read_number() {
    const size_t whole = skip_digits(at_, 10);
    size_t end = whole;
    if (end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1]) &&
        !(at_ > 0 && text_[at_ - 1] == '.')) {
      end = skip_digits(end + 1, 10);
    }
    size_t exponent = end;
    if (exponent < text_.size() && (text_[exponent] == 'e' || text_[exponent] == 'E')) {
      ++exponent;
      if (sign_at(exponent) != '\0') ++exponent;
      if (exponent < text_.size() && is_digit(text_[exponent])) end = skip_digits(exponent, 10);
    }
    if (end != whole) return add_number(TokenKind::kFloat, end);
    if (text_[at_] == '0') {
      const std::string_view prefix = text_.substr(at_, 2);
      if (prefix == "0x" || prefix == "0X" || prefix == "0o" || prefix == "0O" || prefix == "0b" ||
          prefix == "0B") {
        fail("has a number that is not decimal, which is not supported");
      }
      // As Jinja: more zeros belong to the number, another digit does not.
      end = at_ + 1;
      while (end < whole && (text_[end] == '0' || text_[end] == '_')) ++end;
    }
    add_number(TokenKind::kInteger, end);
  }

  void add_number(TokenKind kind, size_t end) {
    std::string written;
    for (const char byte : text_.substr(at_, end - at_)) {
      if (byte != '_') written += byte;
    }
    add(kind, std::move(written));
    move_to(end);
  }

  void read_name() {
    size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    if (end < text_.size() && is_high(text_[end])) {
      fail("has a name that is not ASCII, which is not supported");
    }
    add(TokenKind::kName, std::string(text_.substr(at_, end - at_)));
    move_to(end);
  }

  void read_string() {
    const char quote = text_[at_];
    std::string value;
    size_t at = at_ + 1;
    while (at < text_.size() && text_[at] != quote) {
      if (text_[at] == '\\') {
        at = read_escape(at + 1, value);
      } else {
        value += text_[at++];
      }
    }
    if (at >= text_.size()) fail("has a string without an end");
    add(TokenKind::kString, std::move(value));
    move_to(at + 1);
  }

  // The escape after a backslash, as Python's codec unicode-escape reads it.
  size_t read_escape(size_t at, std::string& value) {
    if (at >= text_.size()) fail("has a string without an end");
    constexpr std::string_view kLetters = "\\'\"abfnrtv";
    constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const char letter = text_[at];
    const size_t simple = kLetters.find(letter);
    if (simple != kNowhere) {
      value += kMeanings[simple];
      return at + 1;
    }
    if (letter == '\n') return at + 1;
    if (letter == 'x') return read_code(at + 1, 2, 2, 16, value);
    if (letter == 'u') return read_code(at + 1, 4, 4, 16, value);
    if (letter == 'U') return read_code(at + 1, 8, 8, 16, value);
    if (letter >= '0' && letter <= '7') return read_code(at, 1, 3, 8, value);
    if (letter == 'N') fail("has the escape \\N in a string, which is not supported");
    value += '\\';
    return at;
  }

  size_t read_code(size_t at, size_t min_digits, size_t max_digits, int base, std::string& value) {
    int64_t code = 0;
    size_t count = 0;
    for (; count < max_digits && at + count < text_.size(); ++count) {
      const int digit = digit_value(text_[at + count]);
      if (digit >= base) break;
      code = code * base + digit;
    }
    const bool is_character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (count < min_digits || !is_character) fail("has an escape in a string that is no character");
    append_character(static_cast<int32_t>(code), value);
    return at + count;
  }

  void read_operator(std::string& open) {
    constexpr std::array<std::string_view, 6> kLong = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view written : kLong) {
      if (!follows(written)) continue;
      add(TokenKind::kOperator, std::string(written));
      return move_to(at_ + 2);
    }
    const char byte = text_[at_];
    constexpr std::string_view kShort = "+-/*%~[](){}><=.:|,;";
    if (kShort.find(byte) == kNowhere) {
      fail("has '" + printable(text_.substr(at_, 1)) + "' in a tag");
    }
    if (byte == '(') open += ')';
    if (byte == '[') open += ']';
    if (byte == '{') open += '}';
    if (byte == ')' || byte == ']' || byte == '}') {
      if (open.empty() || open.back() != byte) {
        fail(std::string("has '") + byte + "' in a tag, which closes nothing");
      }
      open.pop_back();
    }
    add(TokenKind::kOperator, std::string(1, byte));
    move_to(at_ + 1);
  }

  const std::string plain_;
  const std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  bool starts_line_ = true;  // the tag before, if there is one, ended with a newline
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text) { return Lexer(text).run(); }

}  // namespace pdl::jinja
