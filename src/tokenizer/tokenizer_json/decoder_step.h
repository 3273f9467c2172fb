// The steps of a decoder as a chain: each takes tokens and hands on those it makes of them. A step
// hands on what no later token changes, so that a text can be read while its ids still come.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace pdl::tokenizer_json {

// Receives tokens one after another, each in parts of whole characters. Parts may be empty.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  virtual void text(std::string_view part) = 0;  // of the current token
  virtual void end_token() = 0;
  virtual void end() = 0;  // after the last token
};

// How many bytes a step may make of the tokens so far. What a step makes, the next one can make
// more of: without a limit, a short file could fill the memory.
class TextAllowance {
 public:
  void add_token(size_t num_bytes) { max_bytes_ += kMaxGrowth * (num_bytes + 1); }
  // Throws DataError if `num_bytes` is more.
  void check(size_t num_bytes) const {
    if (num_bytes > max_bytes_) fail();
  }

 private:
  static constexpr size_t kMaxGrowth = 64;
  [[noreturn]] static void fail();

  size_t max_bytes_ = 4096;
};

// A step: the sink of its tokens.
class DecoderStep : public TokenSink {
 public:
  // `allowance` must outlive the step.
  DecoderStep(std::unique_ptr<TokenSink> next, const TextAllowance& allowance)
      : next_(std::move(next)), allowance_(allowance) {}

  void end() override { next_->end(); }

 protected:
  void emit(std::string_view part) {
    num_bytes_ += part.size();
    allowance_.check(num_bytes_);
    next_->text(part);
  }
  void emit_end_of_token() { next_->end_token(); }
  void emit_token(std::string_view token) {
    emit(token);
    emit_end_of_token();
  }

 private:
  std::unique_ptr<TokenSink> next_;
  const TextAllowance& allowance_;
  size_t num_bytes_ = 0;
};

// A step that must see a token whole.
class WholeTokenStep : public DecoderStep {
 public:
  using DecoderStep::DecoderStep;
  void text(std::string_view part) final { token_ += part; }
  void end_token() final { take(std::exchange(token_, {})); }

 protected:
  virtual void take(std::string token) = 0;

 private:
  std::string token_;
};

// Puts a step before `next`.
using MakeDecoderStep = std::function<std::unique_ptr<TokenSink>(std::unique_ptr<TokenSink> next,
                                                                 const TextAllowance& allowance)>;

}  // namespace pdl::tokenizer_json
