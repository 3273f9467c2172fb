#include "added_tokens.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"

namespace pdl::tokenizer_json {
namespace {

bool ends_with_word(std::string_view text) {
  size_t end = text.size();
  return end > 0 && is_word_character(previous_character(text, end));
}

bool begins_with_word(std::string_view text) {
  size_t at = 0;
  return !text.empty() && is_word_character(next_character(text, at));
}

size_t begin_of_spaces_before(std::string_view text, size_t begin) {
  for (size_t at = begin; at > 0 && is_space(previous_character(text, at));) begin = at;
  return begin;
}

size_t end_of_spaces_after(std::string_view text, size_t end) {
  for (size_t at = end; at < text.size() && is_space(next_character(text, at));) end = at;
  return end;
}

AddedToken read_token(const JsonValue& value, const JsonBlame& blame, const std::string& place) {
  ObjectReader reader(value, blame, place);
  AddedToken token;
  token.id = static_cast<int32_t>(reader.integer("id", 0, INT32_MAX));
  token.content = reader.string("content");
  token.single_word = reader.boolean("single_word");
  token.lstrip = reader.boolean("lstrip");
  token.rstrip = reader.boolean("rstrip");
  token.normalized = reader.boolean("normalized");
  token.special = reader.boolean("special");
  reader.finish();
  return token;
}

}  // namespace

TokenFinder::TokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::set<std::string_view> patterns;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& pattern = tokens_[i].pattern;
    if (pattern.empty()) {
      throw std::invalid_argument("the token \"" + printable(tokens_[i].content) +
                                  "\" is empty once it is normalised");
    }
    if (!patterns.insert(pattern).second) {
      throw std::invalid_argument("two tokens are the same as \"" + printable(tokens_[i].content) +
                                  "\" once they are normalised");
    }
    trie_.add(pattern, static_cast<int32_t>(i));
    begins_token_[static_cast<unsigned char>(pattern.front())] = true;
  }
}

const AddedToken* TokenFinder::longest_at(std::string_view text, size_t at) const {
  const AddedToken* longest = nullptr;
  trie_.visit_prefixes(
      text, at, [&](size_t, int32_t index) { longest = &tokens_[static_cast<size_t>(index)]; });
  return longest;
}

// `begin` and `end` are those of a match with the white space that it takes in. The search goes on
// past the match itself, so the white space of one token may hold the next one.
void TokenFinder::split(std::string_view text,
                        const std::function<void(const TextPart& part)>& visit) const {
  size_t done = 0;
  for (size_t at = 0; !tokens_.empty() && at < text.size();) {
    const bool may_begin = begins_token_[static_cast<unsigned char>(text[at])];
    const AddedToken* token = may_begin ? longest_at(text, at) : nullptr;
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at;
    size_t end = at + token->pattern.size();
    at = end;
    if (token->single_word &&
        (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) {
      continue;
    }
    if (token->lstrip) begin = std::max(begin_of_spaces_before(text, begin), done);
    if (token->rstrip) end = end_of_spaces_after(text, end);
    if (done < begin) visit({text.substr(done, begin - done), nullptr});
    if (begin < end) visit({text.substr(begin, end - begin), token});
    done = end;
  }
  if (done < text.size()) visit({text.substr(done), nullptr});
}

std::vector<AddedToken> read_added_tokens(const JsonValue& list, const JsonBlame& blame,
                                          const Vocabulary& vocabulary,
                                          const Normalizer& normalizer) {
  std::map<int32_t, AddedToken> added;
  std::unordered_map<std::string, int32_t> ids;
  auto next_id = static_cast<int32_t>(vocabulary.num_tokens);
  for (size_t i = 0; i < list.items().size(); ++i) {
    const std::string place = element_place("added_tokens", i);
    AddedToken token = read_token(list.items()[i], blame, place);
    if (token.content.empty()) continue;
    const auto in_vocab = vocabulary.ids.find(token.content);
    const auto before = ids.find(token.content);
    const int32_t id = before != ids.end()                ? before->second
                       : in_vocab != vocabulary.ids.end() ? in_vocab->second
                                                          : next_id++;
    if (id != token.id) {
      ObjectReader(list.items()[i], blame, place)
          .fail("has id " + std::to_string(token.id) + ", but the tokenizers package gives \"" +
                printable(token.content, 40) + "\" id " + std::to_string(id));
    }
    try {
      token.pattern = token.normalized ? normalizer.apply(token.content, false) : token.content;
    } catch (const DataError& problem) {
      ObjectReader(list.items()[i], blame, place)
          .fail(std::string("cannot be normalised: ") + problem.what());
    }
    ids[token.content] = id;
    added[id] = std::move(token);
  }
  std::vector<AddedToken> tokens;
  for (auto& [id, token] : added) tokens.push_back(std::move(token));
  return tokens;
}

}  // namespace pdl::tokenizer_json
