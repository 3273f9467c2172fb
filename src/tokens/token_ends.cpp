#include "token_ends.h"

#include <algorithm>
#include <optional>

#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr size_t kNowhere = std::string_view::npos;

// How far ahead a token that matches again is looked for.
constexpr size_t kMaxTokensAhead = 16;
constexpr size_t kMaxBytesAhead = 512;

class Aligner {
 public:
  Aligner(const Tokenizer& tokenizer, std::string_view text, std::span<const int32_t> ids)
      : tokenizer_(tokenizer), text_(text), ids_(ids) {}

  std::vector<size_t> run() {
    ends_.reserve(ids_.size());
    size_t at = 0;
    for (size_t i = 0; i < ids_.size();) {
      if (const auto end = end_of_match(tokenizer_.text_of(ids_[i]), at)) {
        at = *end;
        ends_.push_back(at);
        ++i;
        continue;
      }
      const auto [index, place] = find_next_match(i, at);
      ends_.insert(ends_.end(), index - i, place);
      i = index;
      at = place;
    }
    if (!ends_.empty()) ends_.back() = text_.size();
    return std::move(ends_);
  }

 private:
  bool matches(std::string_view written, size_t at) const {
    return text_.substr(at).starts_with(written);
  }

  // Where a token ends that begins at `at`, or after white space that was dropped; nullopt if it is
  // not there.
  std::optional<size_t> end_of_match(std::string_view written, size_t at) const {
    if (written.empty()) return std::nullopt;
    if (matches(written, at)) return at + written.size();
    std::string_view bare = written;
    if (bare.starts_with(' ')) bare.remove_prefix(1);
    // A tokenizer may have put a space before the text, or made one of several.
    if (matches(bare, at)) return at + bare.size();
    const std::string_view rest = text_.substr(at);
    const size_t space = rest.find_first_not_of(" \t\r\n");
    if (space == kNowhere || space == 0 || bare.empty()) return std::nullopt;
    if (matches(bare, at + space)) return at + space + bare.size();
    return std::nullopt;
  }

  // The next token after `index` that is in the text again, and where; the end if there is none.
  std::pair<size_t, size_t> find_next_match(size_t index, size_t at) const {
    const std::string_view near = text_.substr(at, kMaxBytesAhead);
    for (size_t next = index + 1; next < std::min(index + kMaxTokensAhead, ids_.size()); ++next) {
      std::string anchor = tokenizer_.text_of(ids_[next]);
      if (next + 1 < ids_.size()) anchor += tokenizer_.text_of(ids_[next + 1]);
      const size_t place = anchor.size() < 2 ? kNowhere : near.find(anchor);
      if (place != kNowhere) return {next, at + place};
    }
    return {index + 1, at};
  }

  const Tokenizer& tokenizer_;
  std::string_view text_;
  std::span<const int32_t> ids_;
  std::vector<size_t> ends_;
};

}  // namespace

std::vector<size_t> find_token_ends(const Tokenizer& tokenizer, std::string_view text,
                                    std::span<const int32_t> ids) {
  return Aligner(tokenizer, text, ids).run();
}

}  // namespace pdl
