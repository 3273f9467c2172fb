#include "decoder_steps.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

#include "../utf8_end.h"
#include "byte_level.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"

namespace pdl::tokenizer_json {
namespace {

constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

// Rust's str::replace: an empty `from` is found at both ends and between any two characters.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  size_t copied = 0;
  if (from.empty()) {
    for (; copied < text.size(); copied += character_bytes(text[copied])) {
      result += to;
      result += text.substr(copied, character_bytes(text[copied]));
    }
    return result += to;
  }
  for (size_t at = 0; (at = text.find(from, copied)) != std::string_view::npos;) {
    result += text.substr(copied, at - copied);
    result += to;
    copied = at + from.size();
  }
  return result += text.substr(copied);
}

// What the package calls cleanup.
std::string without_odd_blanks(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kReplacements = {
      {{" .", "."},
       {" ?", "?"},
       {" !", "!"},
       {" ,", ","},
       {" ' ", "'"},
       {" n't", "n't"},
       {" 'm", "'m"},
       {" do not", " don't"},
       {" 's", "'s"},
       {" 've", "'ve"},
       {" 're", "'re"}}};
  for (const auto& [from, to] : kReplacements) {
    if (text.find(from) != std::string::npos) text = replace_all(text, from, to);
  }
  return text;
}

class JoinWithBlanks : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;

 private:
  void take(std::string token) override {
    if (!std::exchange(is_first_, false)) token.insert(0, " ");
    emit_token(token);
  }

  bool is_first_ = true;
};

// Makes one token of all: the text of their bytes. Each longest stretch of bytes that begin a
// character and do not complete it, and any other byte that is no UTF-8, becomes U+FFFD.
class ByteLevel : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;
  void end() override {
    emit_bytes(bytes_.size());
    emit_end_of_token();
    WholeTokenStep::end();
  }

 private:
  void take(std::string token) override {
    bytes_ += bytes_of(token).value_or(token);
    emit_bytes(bytes_.size() - size_of_incomplete_end(bytes_));
  }

  void emit_bytes(size_t num_bytes) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(bytes_.data());
    const auto size = static_cast<int64_t>(num_bytes);
    std::string text;
    for (int64_t at = 0; at < size;) {
      const int64_t begin = at;
      UChar32 character = 0;
      U8_NEXT(bytes, at, size, character);
      if (character < 0) {
        text += kReplacementCharacter;
      } else {
        text.append(bytes_, static_cast<size_t>(begin), static_cast<size_t>(at - begin));
      }
    }
    bytes_.erase(0, num_bytes);
    emit(text);
  }

  std::string bytes_;  // no text yet
};

class MetaspaceDecoder : public DecoderStep {
 public:
  MetaspaceDecoder(std::unique_ptr<TokenSink> next, const TextAllowance& allowance,
                   std::string sign, bool drops_first)
      : DecoderStep(std::move(next), allowance), sign_(std::move(sign)), drops_(drops_first) {}

  void text(std::string_view part) override { emit(replace_all(part, sign_, drops_ ? "" : " ")); }
  void end_token() override {
    drops_ = false;
    emit_end_of_token();
  }

 private:
  std::string sign_;
  bool drops_;
};

// The byte of "<0x0A>", as Rust reads hexadecimal digits: with a sign, too.
std::optional<char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  std::string_view digits = token.substr(3, 2);
  if (digits.front() == '+') digits.remove_prefix(1);
  unsigned byte = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, byte, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return static_cast<char>(byte);
}

// Makes one token of a run of bytes, or one U+FFFD for each of them if they are no UTF-8: so the
// text of a run is certain only once it ends.
class ByteFallback : public WholeTokenStep {
 public:
  using WholeTokenStep::WholeTokenStep;
  void end() override {
    end_run();
    WholeTokenStep::end();
  }

 private:
  void take(std::string token) override {
    if (const std::optional<char> byte = byte_of_token(token)) {
      run_ += *byte;
      return;
    }
    end_run();
    emit_token(token);
  }

  void end_run() {
    const std::string run = std::exchange(run_, {});
    if (run.empty()) return;
    if (find_invalid_utf8(run) == std::string_view::npos) return emit_token(run);
    for (size_t i = 0; i < run.size(); ++i) emit_token(kReplacementCharacter);
  }

  std::string run_;
};

// Makes one token of all.
class Fuse : public DecoderStep {
 public:
  using DecoderStep::DecoderStep;
  void text(std::string_view part) override { emit(part); }
  void end_token() override {}
  void end() override {
    emit_end_of_token();
    DecoderStep::end();
  }
};

class ReplaceText : public DecoderStep {
 public:
  ReplaceText(std::unique_ptr<TokenSink> next, const TextAllowance& allowance, std::string pattern,
              std::string content)
      : DecoderStep(std::move(next), allowance),
        pattern_(std::move(pattern)),
        content_(std::move(content)) {}

  void text(std::string_view part) override {
    pending_ += part;
    size_t done = 0;
    for (size_t at = 0; (at = pending_.find(pattern_, done)) != std::string::npos;) {
      emit(std::string_view(pending_).substr(done, at - done));
      emit(content_);
      done = at + pattern_.size();
    }
    const size_t certain = begin_of_possible_match(done);
    emit(std::string_view(pending_).substr(done, certain - done));
    pending_.erase(0, certain);
  }

  void end_token() override {
    emit(pending_);
    pending_.clear();
    emit_end_of_token();
  }

 private:
  // Where the longest end begins that the next part may complete to the pattern.
  size_t begin_of_possible_match(size_t from) const {
    const std::string_view pattern = pattern_;
    const size_t longest = std::min(pending_.size() - from, pattern.size() - 1);
    for (size_t size = longest; size > 0; --size) {
      if (pending_.ends_with(pattern.substr(0, size))) return pending_.size() - size;
    }
    return pending_.size();
  }

  std::string pattern_;
  std::string content_;
  std::string pending_;  // of the token
};

class ReplaceExpression : public WholeTokenStep {
 public:
  ReplaceExpression(std::unique_ptr<TokenSink> next, const TextAllowance& allowance,
                    const Pattern& pattern, std::string content)
      : WholeTokenStep(std::move(next), allowance),
        pattern_(pattern),
        content_(std::move(content)) {}

 private:
  void take(std::string token) override {
    const std::string_view text = token;
    size_t done = 0;
    for (TextSpan match{}; pattern_.find(text, done, match); done = match.end) {
      emit(text.substr(done, match.begin - done));
      emit(content_);
    }
    emit_token(text.substr(done));
  }

  const Pattern& pattern_;
  std::string content_;
};

class Strip : public DecoderStep {
 public:
  Strip(std::unique_ptr<TokenSink> next, const TextAllowance& allowance, std::string character,
        size_t start, size_t stop)
      : DecoderStep(std::move(next), allowance),
        character_(std::move(character)),
        start_(start),
        stop_(stop) {}

  void text(std::string_view part) override {
    std::string certain;
    for (size_t at = 0; at < part.size();) {
      const std::string_view character = part.substr(at, character_bytes(part[at]));
      at += character.size();
      if (character != character_) {
        num_dropped_ = start_;
        for (; num_held_ > 0; --num_held_) certain += character_;
        certain += character;
      } else if (num_dropped_ < start_) {
        ++num_dropped_;
      } else if (num_held_ < stop_) {
        ++num_held_;
      } else {
        certain += character_;
      }
    }
    emit(certain);
  }

  void end_token() override {
    num_dropped_ = 0;
    num_held_ = 0;
    emit_end_of_token();
  }

 private:
  std::string character_;
  size_t start_;
  size_t stop_;
  size_t num_dropped_ = 0;  // at the begin of the token; all of them once another character came
  size_t num_held_ = 0;     // of those that came last, which the end of the token would drop
};

class WordPiece : public WholeTokenStep {
 public:
  WordPiece(std::unique_ptr<TokenSink> next, const TextAllowance& allowance, std::string prefix,
            bool cleanup)
      : WholeTokenStep(std::move(next), allowance), prefix_(std::move(prefix)), cleanup_(cleanup) {}

 private:
  void take(std::string token) override {
    if (!std::exchange(is_first_, false)) {
      if (token.starts_with(prefix_)) {
        token.erase(0, prefix_.size());
      } else {
        token.insert(0, " ");
      }
    }
    emit_token(cleanup_ ? without_odd_blanks(std::move(token)) : token);
  }

  std::string prefix_;
  bool cleanup_;
  bool is_first_ = true;
};

class BpeDecoder : public WholeTokenStep {
 public:
  BpeDecoder(std::unique_ptr<TokenSink> next, const TextAllowance& allowance, std::string suffix)
      : WholeTokenStep(std::move(next), allowance), suffix_(std::move(suffix)) {}

  void end() override {
    emit_last("");
    WholeTokenStep::end();
  }

 private:
  void take(std::string token) override {
    emit_last(" ");
    last_ = std::move(token);
  }
  void emit_last(std::string_view blank) {
    if (last_) emit_token(replace_all(*last_, suffix_, blank));
  }

  std::string suffix_;
  std::optional<std::string> last_;
};

class Ctc : public WholeTokenStep {
 public:
  Ctc(std::unique_ptr<TokenSink> next, const TextAllowance& allowance, std::string pad_token,
      std::string word_delimiter, bool cleanup)
      : WholeTokenStep(std::move(next), allowance),
        pad_token_(std::move(pad_token)),
        word_delimiter_(std::move(word_delimiter)),
        cleanup_(cleanup) {}

 private:
  void take(std::string token) override {
    if (token == last_) return;
    std::string text = replace_all(token, pad_token_, "");
    if (cleanup_) text = replace_all(without_odd_blanks(std::move(text)), word_delimiter_, " ");
    if (!text.empty()) emit_token(text);
    last_ = std::move(token);
  }

  std::string pad_token_;
  std::string word_delimiter_;
  bool cleanup_;
  std::optional<std::string> last_;
};

// Returns what makes a `Step` of these arguments.
template <class Step, class... Arguments>
MakeDecoderStep maker(Arguments... arguments) {
  return [... arguments = std::move(arguments)](std::unique_ptr<TokenSink> next,
                                                const TextAllowance& allowance) {
    return std::make_unique<Step>(std::move(next), allowance, arguments...);
  };
}

}  // namespace

void TextAllowance::fail() {
  throw DataError("the tokenizer's decoder makes a text more than " + std::to_string(kMaxGrowth) +
                  " times as long; use another tokenizer");
}

MakeDecoderStep join_with_blanks() { return maker<JoinWithBlanks>(); }
MakeDecoderStep byte_level_decoder() { return maker<ByteLevel>(); }
MakeDecoderStep byte_fallback_decoder() { return maker<ByteFallback>(); }
MakeDecoderStep fuse_decoder() { return maker<Fuse>(); }

MakeDecoderStep metaspace_decoder(std::string sign, bool drops_first) {
  return maker<MetaspaceDecoder>(std::move(sign), drops_first);
}

MakeDecoderStep replace_decoder(std::string text, Pattern expression, std::string content) {
  if (!text.empty()) return maker<ReplaceText>(std::move(text), std::move(content));
  return [pattern = std::make_shared<const Pattern>(std::move(expression)),
          content = std::move(content)](std::unique_ptr<TokenSink> next,
                                        const TextAllowance& allowance) {
    return std::make_unique<ReplaceExpression>(std::move(next), allowance, *pattern, content);
  };
}

MakeDecoderStep strip_decoder(std::string character, size_t start, size_t stop) {
  return maker<Strip>(std::move(character), start, stop);
}

MakeDecoderStep word_piece_decoder(std::string prefix, bool cleanup) {
  return maker<WordPiece>(std::move(prefix), cleanup);
}

MakeDecoderStep bpe_decoder(std::string suffix) { return maker<BpeDecoder>(std::move(suffix)); }

MakeDecoderStep ctc_decoder(std::string pad_token, std::string word_delimiter, bool cleanup) {
  return maker<Ctc>(std::move(pad_token), std::move(word_delimiter), cleanup);
}

}  // namespace pdl::tokenizer_json
