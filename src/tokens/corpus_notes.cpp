#include "pdl/tokens/corpus_notes.h"

#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/log.h"
#include "pdl/base/text_format.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/chat_format.h"

namespace pdl {
namespace {

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// "1 document", "2,000 documents".
std::string counted(int64_t number, const std::string& noun) {
  return grouped(number) + " " + noun + (number == 1 ? "" : "s");
}

std::string doubled_warning(int64_t number, int64_t all, bool is_bos, const std::string& token) {
  return grouped(number) + " of " + grouped(all) + " documents " +
         (is_bos ? "begin with " : "end with ") + token + " already, and " +
         (is_bos ? "add_bos" : "add_eos") +
         " adds another; take it out of the texts or, if all have it, set " +
         (is_bos ? "add_bos" : "add_eos") + " to false";
}

void add_declared_warning(const std::optional<DeclaredToken>& declared, bool adds,
                          const std::string& key, int64_t documents,
                          std::vector<std::string>& warnings) {
  if (!declared || declared->is_added == adds) return;
  const std::string word = declared->is_added ? "true" : "false";
  warnings.push_back(declared->phrase + ", which is not heeded: " + key + " is " +
                     (adds ? "true" : "false") + ", and that counts for " +
                     counted(documents, "document") + "; set " + key + " to " + word +
                     " to do as the tokenizer does");
}

std::set<std::string> names_of(ObjectReader& object, std::string_view key) {
  std::set<std::string> names;
  for (const JsonValue& item : object.required(key, JsonValue::Kind::kArray).items()) {
    if (!item.is_string()) object.fail_at(key, "holds something else than names");
    names.insert(item.text());
  }
  return names;
}

}  // namespace

void CorpusNotes::add_other_field(const std::string& name) {
  if (other_fields.contains(name)) return;
  std::string shown = printable(name);
  if (other_fields.size() == kMaxFields && *other_fields.rbegin() < shown) return;
  other_fields.insert(std::move(shown));
  if (other_fields.size() > kMaxFields) other_fields.erase(std::prev(other_fields.end()));
}

void CorpusNotes::add(const CorpusNotes& other) {
  bounded += other.bounded;
  doubled_bos += other.doubled_bos;
  doubled_eos += other.doubled_eos;
  spelt_chats += other.spelt_chats;
  spelt_controls.insert(other.spelt_controls.begin(), other.spelt_controls.end());
  untrained_calls += other.untrained_calls;
  for (const std::string& name : other.other_fields) add_other_field(name);
}

std::string to_json(const CorpusNotes& notes) {
  return nlohmann::ordered_json({{"bounded", notes.bounded},
                                 {"doubled_bos", notes.doubled_bos},
                                 {"doubled_eos", notes.doubled_eos},
                                 {"spelt_chats", notes.spelt_chats},
                                 {"spelt_controls", notes.spelt_controls},
                                 {"untrained_calls", notes.untrained_calls},
                                 {"other_fields", notes.other_fields}})
      .dump();
}

std::optional<CorpusNotes> parse_corpus_notes(std::string_view json) {
  try {
    const JsonBlame blame = JsonBlame::of<DataError>("");
    const JsonValue root = parse_json(json, {}, blame);
    ObjectReader object(root, blame);
    return CorpusNotes{.bounded = object.integer("bounded", 0),
                       .doubled_bos = object.integer("doubled_bos", 0),
                       .doubled_eos = object.integer("doubled_eos", 0),
                       .spelt_chats = object.integer("spelt_chats", 0),
                       .spelt_controls = names_of(object, "spelt_controls"),
                       .untrained_calls = object.integer("untrained_calls", 0),
                       .other_fields = names_of(object, "other_fields")};
  } catch (const DataError&) {
    return std::nullopt;
  }
}

std::vector<std::string> special_token_warnings(const CorpusNotes& notes,
                                                const Tokenizer& tokenizer,
                                                const TextOptions& options) {
  std::vector<std::string> warnings;
  if (notes.doubled_bos > 0) {
    warnings.push_back(doubled_warning(notes.doubled_bos, notes.bounded, /*is_bos=*/true,
                                       printable(tokenizer.piece(tokenizer.bos_id().value()))));
  }
  if (notes.doubled_eos > 0) {
    warnings.push_back(doubled_warning(notes.doubled_eos, notes.bounded, /*is_bos=*/false,
                                       printable(tokenizer.piece(tokenizer.eos_id().value()))));
  }
  if (notes.spelt_chats > 0) {
    warnings.push_back("the tokenizer lacks " + joined(notes.spelt_controls) +
                       " of chat_template " + ChatFormat(options, &tokenizer).name() +
                       ": they are spelt out in several tokens in " +
                       counted(notes.spelt_chats, "chat") +
                       "; use a tokenizer that has them, or another chat_template");
  }
  return warnings;
}

std::vector<std::string> declared_token_warnings(int64_t documents, const Tokenizer& tokenizer,
                                                 const TextOptions& options) {
  std::vector<std::string> warnings;
  if (documents == 0) return warnings;
  const DeclaredTokens declared = tokenizer.declared_tokens();
  add_declared_warning(declared.bos, options.add_bos, "add_bos", documents, warnings);
  add_declared_warning(declared.eos, options.add_eos, "add_eos", documents, warnings);
  return warnings;
}

void log_corpus_notes(const CorpusNotes& notes, const Tokenizer* tokenizer,
                      const TextOptions& options, const std::string& name) {
  if (tokenizer == nullptr) return;
  for (const std::string& line : special_token_warnings(notes, *tokenizer, options)) {
    log_warning(name + ": " + line);
  }
  if (notes.untrained_calls > 0) {
    log_info(name + ": " + counted(notes.untrained_calls, "turn") +
             " of the assistant call tools: the content is trained, and the calls are not, because "
             "the chat template does not mark them with {% generation %}");
  }
  if (!notes.other_fields.empty()) {
    const bool may_be_more = notes.other_fields.size() == CorpusNotes::kMaxFields;
    log_info(name + ": fields of records that are not read: " + joined(notes.other_fields) +
             (may_be_more ? ", …" : ""));
  }
}

void log_declared_tokens(int64_t documents, const Tokenizer* tokenizer,
                         const TextOptions& options) {
  if (tokenizer == nullptr) return;
  for (const std::string& line : declared_token_warnings(documents, *tokenizer, options)) {
    log_warning(line);
  }
}

}  // namespace pdl
