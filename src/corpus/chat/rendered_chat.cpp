#include "rendered_chat.h"

#include <algorithm>
#include <array>
#include <set>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "response_spans.h"

namespace pdl {
namespace {

using jinja::Text;
using jinja::Value;

constexpr std::string_view kContent = "content";
constexpr std::string_view kRole = "role";
constexpr std::string_view kAssistant = "assistant";
constexpr std::string_view kToolCalls = "tool_calls";

// Fields of a message that are this program's own.
bool is_own_field(std::string_view name) { return name == "weight" || name == "train"; }

// Under these names templates read a thought, and transformers passes it under the first two.
constexpr std::array<std::string_view, 3> kThoughts = {"reasoning_content", "thinking",
                                                       "reasoning"};

const JsonValue* member_of(const JsonValue& object, std::string_view name) {
  const auto found = std::find(object.keys().begin(), object.keys().end(), name);
  if (found == object.keys().end()) return nullptr;
  return &object.items()[static_cast<size_t>(found - object.keys().begin())];
}

bool is_empty(const JsonValue* value) {
  if (value == nullptr || value->is(JsonValue::Kind::kNull)) return true;
  return value->is(JsonValue::Kind::kArray) && value->items().empty();
}

// A content is a string, or a list of parts whose texts stand under "text".
Value content_value(const JsonValue& content, int32_t origin) {
  if (!content.is(JsonValue::Kind::kArray)) return jinja::from_json(content, origin);
  std::vector<Value> parts;
  for (const JsonValue& part : content.items()) {
    if (!part.is(JsonValue::Kind::kObject)) {
      parts.push_back(jinja::from_json(part, origin));
      continue;
    }
    jinja::Dict members;
    for (size_t i = 0; i < part.items().size(); ++i) {
      const bool is_text = part.keys()[i] == "text";
      members.set(Value::string(part.keys()[i]),
                  jinja::from_json(part.items()[i],
                                   is_text ? std::optional<int32_t>(origin) : std::nullopt));
    }
    parts.push_back(jinja::make_dict(std::move(members)));
  }
  return jinja::make_list(std::move(parts));
}

Value message_value(const JsonValue& fields, size_t index) {
  jinja::Dict message;
  const JsonValue* thought = nullptr;
  for (const std::string_view name : kThoughts) {
    const JsonValue* value = member_of(fields, name);
    if (value == nullptr || value->is(JsonValue::Kind::kNull)) continue;
    thought = value;
    break;
  }
  if (thought != nullptr) {
    message.set(Value::string("thinking"), jinja::from_json(*thought, other_origin(index)));
  }
  for (size_t i = 0; i < fields.items().size(); ++i) {
    const std::string& name = fields.keys()[i];
    const JsonValue& value = fields.items()[i];
    if (value.is(JsonValue::Kind::kNull) || is_own_field(name)) continue;
    const bool is_role = name == kRole;
    message.set(Value::string(name), name == kContent ? content_value(value, content_origin(index))
                                     : is_role        ? jinja::from_json(value)
                                               : jinja::from_json(value, other_origin(index)));
  }
  if (thought != nullptr) {
    message.set(Value::string("reasoning_content"),
                jinja::from_json(*thought, other_origin(index)));
  }
  return jinja::make_dict(std::move(message));
}

using Variables = std::vector<std::pair<std::string, Value>>;

void set_variable(const std::string& name, Value value, Variables& variables) {
  const auto same = std::find_if(variables.begin(), variables.end(),
                                 [&](const auto& variable) { return variable.first == name; });
  if (same == variables.end()) {
    variables.emplace_back(name, std::move(value));
  } else {
    same->second = std::move(value);
  }
}

Value optional_value(const JsonValue* json, int32_t origin) {
  return json == nullptr ? Value() : jinja::from_json(*json, origin);
}

Variables variables_of(const ChatRecord& record, const ChatFormat& format, bool prompts_answer) {
  Variables variables;
  for (const auto& [name, written] : format.special_tokens()) {
    set_variable(name, Value::string(written), variables);
  }
  if (record.variables != nullptr) {
    for (size_t i = 0; i < record.variables->items().size(); ++i) {
      set_variable(record.variables->keys()[i], jinja::from_json(record.variables->items()[i]),
                   variables);
    }
  }
  std::vector<Value> messages;
  for (size_t i = 0; i < record.messages.size(); ++i) {
    messages.push_back(message_value(*record.messages[i].fields, i));
  }
  const int32_t no_message = other_origin(record.messages.size());
  set_variable("messages", jinja::make_list(std::move(messages)), variables);
  set_variable("tools", optional_value(record.tools, no_message), variables);
  set_variable("documents", optional_value(record.documents, no_message), variables);
  set_variable("add_generation_prompt", prompts_answer, variables);
  return variables;
}

std::vector<ChatTurn> turns_of(const ChatRecord& record) {
  std::vector<ChatTurn> turns;
  for (const ChatRecord::Message& message : record.messages) {
    const JsonValue* content = member_of(*message.fields, kContent);
    turns.push_back({.is_assistant = member_of(*message.fields, kRole)->text() == kAssistant,
                     .trained = message.trained,
                     .calls_tools = !is_empty(member_of(*message.fields, kToolCalls)),
                     .content = content != nullptr && content->is_string() ? content->text() : ""});
  }
  return turns;
}

// ------------------------------------------------------------------ what the template writes

struct Range {
  size_t begin = 0;
  size_t end = 0;
};

// "<|name|>", also with the full-width bars of some models; 0: none begins at `at`.
size_t size_of_control(std::string_view text, size_t at) {
  constexpr size_t kMaxBytes = 64;
  for (const std::string_view bar : {std::string_view("|"), std::string_view("｜")}) {
    const std::string open = "<" + std::string(bar);
    if (!text.substr(at).starts_with(open)) continue;
    const std::string_view rest = text.substr(at + open.size(), kMaxBytes);
    const size_t end = rest.find(std::string(bar) + ">");
    const size_t stop = rest.find_first_of("<> \t\n");
    if (end == std::string_view::npos || end == 0 || stop < end) return 0;
    return open.size() + end + bar.size() + 1;
  }
  return 0;
}

// What looks like a control token and is the template's, not of a message.
std::vector<Range> controls_in(const Text& text, const ChatFormat& format) {
  std::vector<Range> foreign;
  for (const jinja::Span& span : text.spans) {
    if (span.origin != jinja::kGenerationOrigin && span.begin < span.end) {
      foreign.push_back({span.begin, span.end});
    }
  }
  std::sort(foreign.begin(), foreign.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> controls;
  size_t next = 0;  // of the spans that may reach beyond `at`
  for (size_t at = 0; at < text.bytes.size();) {
    size_t size = text.bytes[at] == '<' ? size_of_control(text.bytes, at) : 0;
    for (const auto& [name, written] : format.special_tokens()) {
      if (!written.empty() && text.bytes.compare(at, written.size(), written) == 0) {
        size = std::max(size, written.size());
      }
    }
    while (next < foreign.size() && foreign[next].end <= at) ++next;
    if (size == 0) {
      ++at;
    } else if (next < foreign.size() && foreign[next].begin < at + size) {
      at = foreign[next].end;
    } else {
      controls.push_back({at, at + size});
      at += size;
    }
  }
  return controls;
}

// ------------------------------------------------------------------ parts

// Cuts the text where a response or a control token begins or ends.
class PartCutter {
 public:
  PartCutter(const Text& text, const std::vector<ResponseSpan>& responses,
             const std::vector<Range>& controls, bool trains_rest)
      : text_(text), responses_(responses), controls_(controls), trains_rest_(trains_rest) {}

  std::vector<DocumentPart> run() {
    std::set<size_t> cuts = {0, text_.bytes.size()};
    for (const ResponseSpan& span : responses_) cuts.insert({span.begin, span.end});
    for (const Range& control : controls_) cuts.insert({control.begin, control.end});
    size_t begin = 0;
    for (const size_t end : cuts) {
      if (begin < end) add(begin, end);
      add_empty_responses(end);
      begin = end;
    }
    return std::move(parts_);
  }

 private:
  void add(size_t begin, size_t end) {
    while (response_ < responses_.size() && responses_[response_].end <= begin) ++response_;
    while (control_ < controls_.size() && controls_[control_].end <= begin) ++control_;
    DocumentPart part{.text = text_.bytes.substr(begin, end - begin), .trained = trains_rest_};
    part.is_control = control_ < controls_.size() && controls_[control_].begin <= begin;
    if (response_ < responses_.size() && responses_[response_].begin <= begin) {
      const ResponseSpan& span = responses_[response_];
      part.trained = span.trained;
      part.is_response = true;
      part.takes_end = span.takes_end && span.end == end;
    }
    parts_.push_back(std::move(part));
  }

  void add_empty_responses(size_t at) {
    for (const ResponseSpan& span : responses_) {
      if (span.begin != span.end || span.begin != at) continue;
      parts_.push_back(
          {.text = "", .trained = span.trained, .is_response = true, .takes_end = span.takes_end});
    }
  }

  const Text& text_;
  const std::vector<ResponseSpan>& responses_;
  const std::vector<Range>& controls_;
  bool trains_rest_;
  size_t response_ = 0;
  size_t control_ = 0;
  std::vector<DocumentPart> parts_;
};

int64_t count_untrained_calls(const ChatRecord& record) {
  return std::count_if(
      record.messages.begin(), record.messages.end(), [](const ChatRecord::Message& message) {
        return message.trained && !is_empty(member_of(*message.fields, kToolCalls)) &&
               member_of(*message.fields, kRole)->text() == kAssistant;
      });
}

}  // namespace

Document render_chat(const ChatRecord& record, const ChatFormat& format, bool completion_only_loss,
                     bool prompts_answer) {
  if (record.messages.empty()) throw DataError("the list of messages is empty");
  const jinja::Template& chat_template = format.template_for(record.tools != nullptr);
  const Text text = chat_template.render(variables_of(record, format, prompts_answer),
                                         format.date_for(chat_template));
  const std::vector<ChatTurn> turns = turns_of(record);
  const bool is_marked = chat_template.marks_generation();
  Document document;
  document.is_chat = true;
  document.is_rendered = true;
  const std::vector<ResponseSpan> responses =
      is_marked ? generated_spans(text, turns)
                : content_spans(text, turns, /*of_all=*/!completion_only_loss);
  document.parts = PartCutter(text, responses, controls_in(text, format),
                              /*trains_rest=*/!completion_only_loss)
                       .run();
  if (completion_only_loss && !is_marked) document.untrained_calls = count_untrained_calls(record);
  return document;
}

}  // namespace pdl
