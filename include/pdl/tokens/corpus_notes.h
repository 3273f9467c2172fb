// What of a corpus may not be meant as it is, found while it is tokenized.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Numbers of documents, without empty ones and those of .npy.
struct CorpusNotes {
  int64_t bounded = 0;      // to which add_bos and add_eos apply: all but chats
  int64_t doubled_bos = 0;  // that begin with the bos, as a token or spelt out, that add_bos adds
  int64_t doubled_eos = 0;  // that end so, white space aside, with the eos that add_eos adds
  int64_t spelt_chats = 0;  // chats in which control tokens of the template are spelt out
  std::set<std::string> spelt_controls = {};  // the written forms of these
  int64_t untrained_calls = 0;                // see Document::untrained_calls
  std::set<std::string> other_fields =
      {};  // fields of records that are not read, fit for a log line

  // Of more fields, the first by byte value are kept.
  static constexpr size_t kMaxFields = 8;
  void add_other_field(const std::string& name);
  // Adds the notes of other documents. The sum does not depend on the order.
  void add(const CorpusNotes& other);

  bool operator==(const CorpusNotes&) const = default;
};

// Returns one line of JSON.
std::string to_json(const CorpusNotes& notes);

// Reads what to_json() wrote; nullopt for any other text.
std::optional<CorpusNotes> parse_corpus_notes(std::string_view json);

// What to warn of: bos or eos twice, and control tokens that are spelt out. None if all is well.
std::vector<std::string> special_token_warnings(const CorpusNotes& notes,
                                                const Tokenizer& tokenizer,
                                                const TextOptions& options);

// What to warn of where the tokenizer's files declare another bos or eos than add_bos and add_eos
// say, which count. `documents` are those to which they apply: none if there are none.
std::vector<std::string> declared_token_warnings(int64_t documents, const Tokenizer& tokenizer,
                                                 const TextOptions& options);

// Logs special_token_warnings() and, in one line, the fields that are not read. `name` is that of
// the corpus, e.g. "train_files". `tokenizer` may be null if all files are .npy.
void log_corpus_notes(const CorpusNotes& notes, const Tokenizer* tokenizer,
                      const TextOptions& options, const std::string& name);

// Logs declared_token_warnings().
void log_declared_tokens(int64_t documents, const Tokenizer* tokenizer, const TextOptions& options);

}  // namespace pdl
