#include "rendered_record.h"

#include <algorithm>
#include <set>

#include "chat/rendered_chat.h"
#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/jsonl.h"
#include "record_fields.h"

namespace pdl {
namespace {

using Kind = JsonValue::Kind;

// Says nothing, as a field that is not there.
bool is_empty(const JsonValue& value) {
  if (value.is(Kind::kNull)) return true;
  if (value.is_string()) return value.text().empty();
  return (value.is(Kind::kArray) || value.is(Kind::kObject)) && value.items().empty();
}

void require_each_once(const JsonValue& object, const std::string& where) {
  std::set<std::string_view> names;
  for (const std::string& name : object.keys()) {
    if (names.insert(name).second) continue;
    throw DataError(where + "the field " + in_quotes(name) + " is there twice");
  }
}

// Whether "weight" and "train" of a record or a message let it be trained.
bool is_trained(const JsonValue& object, const std::string& where) {
  bool trained = true;
  for (size_t i = 0; i < object.items().size(); ++i) {
    const JsonValue& value = object.items()[i];
    if (value.is(Kind::kNull)) continue;
    if (object.keys()[i] == "weight") {
      if (!value.is_number() || (value.number() != 0 && value.number() != 1)) {
        throw DataError(where +
                        "the field 'weight' is not 0 or 1; the loss has no other weights "
                        "of turns or records");
      }
      trained &= value.number() == 1;
    } else if (object.keys()[i] == "train") {
      if (!value.is(Kind::kBoolean)) {
        throw DataError(where + "the field 'train' is not true or false");
      }
      trained &= value.boolean();
    }
  }
  return trained;
}

const JsonValue* field_of(const JsonValue& object, std::string_view name) {
  const auto found = std::find(object.keys().begin(), object.keys().end(), name);
  if (found == object.keys().end()) return nullptr;
  const JsonValue& value = object.items()[static_cast<size_t>(found - object.keys().begin())];
  return value.is(Kind::kNull) ? nullptr : &value;
}

std::vector<ChatRecord::Message> messages_of(const JsonValue& list, const std::string& name) {
  if (!list.is(Kind::kArray)) {
    throw DataError("the field " + in_quotes(name) + " is not a list of messages");
  }
  std::vector<ChatRecord::Message> messages;
  for (const JsonValue& message : list.items()) {
    const std::string number = "message " + std::to_string(messages.size() + 1);
    if (!message.is(Kind::kObject)) {
      throw DataError(number + " is not an object with \"role\" and \"content\"");
    }
    const std::string where = number + ": ";
    require_each_once(message, where);
    const JsonValue* role = field_of(message, "role");
    if (role == nullptr) throw DataError(where + "has no field 'role'");
    if (!role->is_string()) throw DataError(where + "the field 'role' is not a string");
    messages.push_back({&message, is_trained(message, where)});
  }
  return messages;
}

// The fields that tell the kind of a record, and those that nobody reads.
RecordFields fields_of(const JsonValue& record, const TextOptions& options) {
  RecordFields fields;
  fields.messages.emplace();
  for (size_t i = 0; i < record.keys().size(); ++i) {
    const std::string& name = record.keys()[i];
    if (name == options.text_field)
      fields.text.emplace();
    else if (name == options.prompt_field)
      fields.prompt.emplace();
    else if (name == options.completion_field)
      fields.completion.emplace();
    else if (name != options.messages_field && name != "weight" && name != "train" &&
             !is_seen_by_template(name) && !is_empty(record.items()[i])) {
      fields.others.push_back(name);
    }
  }
  return fields;
}

const JsonValue* list_field(const JsonValue& record, const std::string& name, Kind kind) {
  const JsonValue* value = field_of(record, name);
  if (value != nullptr && !value->is(kind)) {
    throw DataError("the field " + in_quotes(name) + " is not " +
                    (kind == Kind::kArray ? "a list" : "an object"));
  }
  return value;
}

// What a template sees of the names that are not its own.
void require_free_names(const JsonValue* variables) {
  if (variables == nullptr) return;
  require_each_once(*variables, "chat_template_kwargs: ");
  for (const char* name : {"messages", "tools", "documents", "add_generation_prompt",
                           "continue_final_message", "chat_template", "tokenize"}) {
    if (std::find(variables->keys().begin(), variables->keys().end(), name) ==
        variables->keys().end()) {
      continue;
    }
    throw DataError("the field 'chat_template_kwargs' has the name '" + std::string(name) +
                    "', which is not its to give");
  }
}

}  // namespace

std::optional<Document> parse_rendered_record(std::string_view line, const TextOptions& options,
                                              const ChatFormat& chats, bool prompts_answer) {
  if (line.size() > kMaxRecordBytes) return std::nullopt;
  // Most lines of other kinds need not be read twice.
  const bool may_be_chat = line.find('"' + options.messages_field + '"') != std::string::npos ||
                           line.find("\\u") != std::string::npos;
  JsonValue record;
  if (!may_be_chat || try_parse_json(line, kRecordRules, record) || !record.is(Kind::kObject)) {
    return std::nullopt;
  }
  const auto& keys = record.keys();
  const auto found = std::find(keys.begin(), keys.end(), options.messages_field);
  if (found == keys.end()) return std::nullopt;
  require_each_once(record, "");
  RecordFields fields = fields_of(record, options);
  require_one_kind(fields, options);
  require_no_more_to_say(fields, /*is_rendered=*/true);
  ChatRecord chat;
  chat.messages = messages_of(record.items()[static_cast<size_t>(found - keys.begin())],
                              options.messages_field);
  chat.tools = list_field(record, "tools", Kind::kArray);
  chat.documents = list_field(record, "documents", Kind::kArray);
  chat.variables = list_field(record, "chat_template_kwargs", Kind::kObject);
  require_free_names(chat.variables);
  Document document = render_chat(chat, chats, options.completion_only_loss, prompts_answer);
  const bool trained = is_trained(record, "");
  for (DocumentPart& part : document.parts) part.trained &= trained;
  if (!trained) document.untrained_calls = 0;
  document.other_fields = std::move(fields.others);
  return document;
}

}  // namespace pdl
