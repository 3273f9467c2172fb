#include "document_encoder.h"

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "rendered_mask.h"
#include "token_ends.h"

namespace pdl {
namespace {

std::optional<int32_t> id_to_add(bool add, std::optional<int32_t> id, const std::string& name) {
  if (!add) return std::nullopt;
  if (!id) {
    throw ModelError("the tokenizer has no " + name + " token; set add_" + name +
                     " to false or, for a tokenizer.json, put its tokenizer_config.json beside it");
  }
  return id;
}

void append(const std::vector<int32_t>& ids, size_t begin, bool trained,
            std::vector<Token>& tokens) {
  for (size_t i = begin; i < ids.size(); ++i) tokens.emplace_back(ids[i], trained);
}

// Returns a place near the end of `text` where it may be cut, whatever follows `text`; npos: there
// is none.
size_t find_late_cut(const Tokenizer& tokenizer, std::string_view text) {
  constexpr size_t kTailBytes = 256;
  constexpr size_t kContextBytes = 16;  // decide whether there is a cut
  if (!tokenizer.has_words() || text.size() <= kTailBytes) return std::string_view::npos;
  const size_t cut = tokenizer.find_cut(text, text.size() - kTailBytes);
  return cut < text.size() - kContextBytes ? cut : std::string_view::npos;
}

}  // namespace

DocumentEncoder::DocumentEncoder(const Tokenizer& tokenizer, const TextOptions& options)
    : tokenizer_(tokenizer),
      encoder_(tokenizer),
      bos_(id_to_add(options.add_bos, tokenizer.bos_id(), "bos")),
      eos_(id_to_add(options.add_eos, tokenizer.eos_id(), "eos")),
      bos_written_(bos_ ? tokenizer.piece(*bos_) : ""),
      eos_written_(eos_ ? tokenizer.piece(*eos_) : ""),
      special_ids_(tokenizer.special_ids()) {
  for (const int32_t id : special_ids_) {
    const std::string written = tokenizer.piece(id);
    if (!written.empty() && tokenizer.control_id(written)) {
      unseen_controls_.emplace_back(written, id);
    }
  }
}

void DocumentEncoder::encode(std::string_view text, std::vector<Token>& tokens, bool begins,
                             bool ends) {
  if (begins && bos_) tokens.emplace_back(*bos_);
  const size_t first = tokens.size();
  ids_.clear();
  encoder_.encode(text, begins, ids_);
  for (const int32_t id : ids_) tokens.emplace_back(id);
  if (begins) note_begin(text, std::span(tokens).subspan(first));
  if (ends) note_end(text, std::span(tokens).subspan(first));
  if (ends && eos_) tokens.emplace_back(*eos_);
}

void DocumentEncoder::encode(const Document& document, std::vector<Token>& tokens) {
  if (document.parts.empty()) return;
  if (document.is_rendered) return encode_rendered(document, tokens);
  if (bos_ && !document.is_chat) tokens.emplace_back(*bos_, document.parts.front().trained);
  const size_t first = tokens.size();
  bool has_spelt = false;
  Stretch stretch;
  const DocumentPart* before = nullptr;  // in the stretch
  for (const DocumentPart& part : document.parts) {
    const auto control =
        part.is_control ? tokenizer_.control_id(part.text) : std::optional<int32_t>();
    if (control) {
      encode_stretch(stretch, tokens);
      stretch = {};
      before = nullptr;
      tokens.emplace_back(*control, part.trained);
      continue;
    }
    if (part.is_control && is_spelt_out(part.text)) {
      has_spelt = true;
      notes_.spelt_controls.insert(part.text);
    }
    stretch.text += part.text;
    // What is trained must not change tokens.
    if (document.is_chat && before != nullptr && before->is_response == part.is_response &&
        before->trained == part.trained) {
      stretch.ends.back() = stretch.text.size();
    } else {
      stretch.ends.push_back(stretch.text.size());
      stretch.trained.push_back(part.trained);
    }
    before = &part;
  }
  encode_stretch(stretch, tokens);
  if (has_spelt) ++notes_.spelt_chats;
  if (document.is_chat) return;
  note_begin(document.parts.front().text, std::span(tokens).subspan(first));
  note_end(document.parts.back().text, std::span(tokens).subspan(first));
  if (eos_) tokens.emplace_back(*eos_, document.parts.back().trained);
}

void DocumentEncoder::encode_rendered(const Document& document, std::vector<Token>& tokens) {
  std::string text;
  for (const DocumentPart& part : document.parts) text += part.text;
  ids_.clear();
  encode_whole(text, ids_);
  PlacedTokens placed{.ends = find_token_ends(tokenizer_, text, ids_), .are_control = {}};
  for (const int32_t id : ids_) {
    placed.are_control.push_back(std::binary_search(special_ids_.begin(), special_ids_.end(), id));
  }
  const std::vector<bool> mask = trained_tokens(document, text, placed);
  for (size_t i = 0; i < ids_.size(); ++i) tokens.emplace_back(ids_[i], mask[i]);
  const std::set<std::string> spelt = spelt_controls(document, placed);
  if (spelt.empty()) return;
  ++notes_.spelt_chats;
  notes_.spelt_controls.insert(spelt.begin(), spelt.end());
}

// Appends the ids of a text in which control tokens may be written, wherever they come from.
void DocumentEncoder::encode_whole(std::string_view text, std::vector<int32_t>& ids) {
  if (unseen_controls_.empty()) return encoder_.encode(text, /*begins=*/true, ids);
  size_t begin = 0;
  for (size_t at = 0; at <= text.size();) {
    const std::pair<std::string, int32_t>* longest = nullptr;
    for (const auto& control : unseen_controls_) {
      const bool is_longer = longest == nullptr || control.first.size() > longest->first.size();
      if (is_longer && text.substr(at).starts_with(control.first)) longest = &control;
    }
    if (longest == nullptr && at < text.size()) {
      ++at;
      continue;
    }
    if (begin < at) encoder_.encode(text.substr(begin, at - begin), /*begins=*/true, ids);
    if (longest == nullptr) return;
    ids.push_back(longest->second);
    at += longest->first.size();
    begin = at;
  }
}

// `tokens` are those of the text; bos and eos are not among them if they were added.
void DocumentEncoder::note_begin(std::string_view text, std::span<const Token> tokens) {
  ++notes_.bounded;
  if (!bos_) return;
  const bool is_written =
      !bos_written_.empty() && without_outer_white_space(text).starts_with(bos_written_);
  if (is_written || (!tokens.empty() && tokens.front().id() == *bos_)) ++notes_.doubled_bos;
}

void DocumentEncoder::note_end(std::string_view text, std::span<const Token> tokens) {
  if (!eos_) return;
  const bool is_written =
      !eos_written_.empty() && without_outer_white_space(text).ends_with(eos_written_);
  if (is_written || (!tokens.empty() && tokens.back().id() == *eos_)) ++notes_.doubled_eos;
}

bool DocumentEncoder::is_spelt_out(const std::string& control) {
  const auto [found, is_new] = is_spelt_.try_emplace(control, true);
  if (is_new) {
    for (const int32_t id : ids_of(control, /*begins=*/true)) {
      if (tokenizer_.piece(id) == control) found->second = false;
    }
  }
  return found->second;
}

void DocumentEncoder::encode_stretch(const Stretch& stretch, std::vector<Token>& tokens) {
  size_t begin = 0;      // of the text that is encoded together
  bool is_start = true;  // false: it continues what comes before `begin`
  std::vector<int32_t> before;
  for (size_t part = 0; part < stretch.ends.size(); ++part) {
    const std::string_view text = std::string_view(stretch.text).substr(0, stretch.ends[part]);
    std::vector<int32_t> ids = ids_of(text.substr(begin), is_start);
    const bool continues =
        before.size() <= ids.size() && std::equal(before.begin(), before.end(), ids.begin());
    if (!continues) {
      begin = tokenizer_.size_without_dropped_end(text.substr(0, stretch.ends[part - 1]));
      is_start = false;
      before.clear();
      ids = ids_of(text.substr(begin), is_start);
    }
    append(ids, before.size(), stretch.trained[part], tokens);
    before = std::move(ids);
    // Without a cut, as many SentencePiece models have none, the time grows with the square of the
    // number of turns.
    const size_t cut = find_late_cut(tokenizer_, text.substr(begin));
    if (cut != std::string_view::npos) {
      begin += cut;
      is_start = false;
      before = ids_of(text.substr(begin), is_start);
    }
  }
}

std::vector<int32_t> DocumentEncoder::ids_of(std::string_view text, bool begins) {
  std::vector<int32_t> ids;
  encoder_.encode(text, begins, ids);
  return ids;
}

}  // namespace pdl
