#include "pdl/tokenizer/sentencepiece_trainer.h"

#include <sentencepiece_trainer.h>

#include <limits>
#include <string_view>
#include <unordered_map>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

class VectorIterator : public sentencepiece::SentenceIterator {
 public:
  explicit VectorIterator(const std::vector<std::string>& sentences) : sentences_(sentences) {}

  bool done() const override { return next_ == sentences_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return sentences_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  size_t next_ = 0;
};

[[noreturn]] void fail(std::string_view problem) {
  throw ModelError("cannot train a SentencePiece model: " + std::string(problem));
}

// The library drops such sentences silently.
void check_sentences(const std::vector<std::string>& sentences, size_t max_bytes) {
  bool any_text = false;
  for (const std::string& sentence : sentences) {
    if (find_invalid_utf8(sentence) != std::string_view::npos) {
      fail("'" + printable(sentence) + "' is not UTF-8");
    }
    if (sentence.find('\0') != std::string::npos || sentence.size() > max_bytes) {
      fail("a sentence holds a null character or more than " + std::to_string(max_bytes) +
           " bytes");
    }
    any_text = any_text || !is_white_space(sentence);
  }
  if (!any_text) {
    fail("there is no text");
  }
}

// Removes "file(line) [condition] " from the library's message.
std::string reason(const sentencepiece::util::Status& status) {
  const std::string_view message = status.message();
  const size_t condition = message.rfind("] ");
  const std::string_view text =
      condition == std::string_view::npos ? message : message.substr(condition + 2);
  return std::string(text.empty() ? message : text);
}

}  // namespace

std::string train_sentencepiece_bpe(const std::vector<std::string>& sentences, int64_t vocab_size) {
  constexpr size_t kMaxSentenceBytes = size_t{1} << 20;
  check_sentences(sentences, kMaxSentenceBytes);
  if (vocab_size < 1 || vocab_size > std::numeric_limits<int32_t>::max()) {
    fail("vocab_size is " + std::to_string(vocab_size));
  }
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(vocab_size)},
      {"byte_fallback", "true"},
      {"character_coverage", "1.0"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"max_sentence_length", std::to_string(kMaxSentenceBytes)},
      {"num_threads", "1"},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "-1"},
      {"minloglevel", "2"},
  };
  VectorIterator iterator(sentences);
  std::string model;
  const sentencepiece::util::Status status =
      sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
  if (!status.ok()) {
    fail(reason(status));
  }
  return model;
}

}  // namespace pdl
