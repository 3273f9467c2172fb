// Records of a JSONL file to documents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pdl/config/run_config.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/document.h"

namespace pdl {

// The longest line of a JSONL file.
inline constexpr size_t kMaxRecordBytes = size_t{16} << 20;

// Where a record is from, for messages.
struct RecordPlace {
  std::string file;
  int64_t line = 0;  // from 1
};

// The document of one line, without its \n; a \r at its end is dropped. The line is one JSON object
// (RFC 8259, UTF-8). The fields that are there tell the kind of record:
//
//   text_field                        a text, trained on as a whole
//   prompt_field + completion_field   two parts; the prompt is trained on only without
//                                     completion_only_loss
//   messages_field                    a chat: a list of objects with the strings "role" and
//                                     "content"; see src/corpus/chat/chat_template.h, and for a
//                                     template in Jinja src/corpus/chat/rendered_chat.h
//
// A record, or a message of a chat, with "weight": 0 or "train": false is not trained; null, 1 and
// true are as if the field were not there. Any other field of a message is refused unless it is
// empty: null, "", [] or {}. So are, beside messages or a prompt, the fields that other programs
// read with these, such as "tools"; and "input_ids". Other fields are Document::other_fields. A
// template in Jinja sees all fields of a message, "tools", "documents" and "chat_template_kwargs".
//
// Throws DataError with file and line for a line that is longer than kMaxRecordBytes, not UTF-8,
// not JSON (an escape of half a surrogate pair is not), nested deeper than 64 levels, or no object;
// for a record of no kind, of two, or with half of a prompt and completion; for a value of another
// type than its field needs; for a field that counts given twice; and for one that is refused.
// Throws what `chats` and its template throw, with file and line if the record is to blame.
//
// Takes time and memory in proportion to the line. Thread-safe.
Document parse_record(std::string_view line, const TextOptions& options, const ChatFormat& chats,
                      const RecordPlace& place);

// The same of a record that a model shall continue: the string of prompt_field, or a chat with what
// begins the assistant's next message. Other fields of a prompt say nothing. Throws DataError for a
// record with neither or both, too.
Document parse_prompt_record(std::string_view line, const TextOptions& options,
                             const ChatFormat& chats, const RecordPlace& place);

}  // namespace pdl
