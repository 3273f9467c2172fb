// What a record of a JSONL file holds, and which records are refused. Private to the module.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat_template.h"
#include "pdl/base/json.h"
#include "pdl/config/run_config.h"

namespace pdl {

inline constexpr JsonRules kRecordRules = {.max_depth = 64};

// Whether to train, by "weight" and "train", which a message or a record may have.
struct Training {
  bool has_weight = false, has_train = false;
  bool trained = true;  // false if one of them says so
};

// What a record holds of the fields that count.
struct RecordFields {
  std::optional<std::string> text, prompt, completion;
  std::optional<std::vector<ChatMessage>> messages;
  Training training;
  std::vector<std::string> others;  // names of the other fields that hold something
};

std::string in_quotes(std::string_view name);

// Throws DataError for a record of no kind, of two, or with half of a prompt and completion.
void require_one_kind(const RecordFields& fields, const TextOptions& options);

// Throws DataError for a field that changes what the record means, and is not supported. A chat
// `is_rendered` if a template in Jinja renders it, which sees some of these fields.
void require_no_more_to_say(const RecordFields& fields, bool is_rendered);

// Whether a template in Jinja sees this field of a record.
bool is_seen_by_template(std::string_view name);

}  // namespace pdl
