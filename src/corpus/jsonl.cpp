#include "pdl/corpus/jsonl.h"

#include <optional>
#include <utility>
#include <vector>

#include "chat/chat_template.h"
#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr JsonRules kRules = {.max_depth = 64};

std::string in_quotes(std::string_view name) { return "'" + printable(name) + "'"; }

// What a record holds of the fields that count.
struct RecordFields {
  std::optional<std::string> text, prompt, completion;
  std::optional<std::vector<ChatMessage>> messages;
};

// Receives the parts of a record and keeps the fields that count: the rest of a record is checked
// to be JSON, but not built.
class RecordReader final : public JsonHandler {
 public:
  explicit RecordReader(const TextOptions& options) : options_(options) {}

  RecordFields take() { return std::move(fields_); }

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a boolean"); }
  bool integer(int64_t) override { return scalar("a number"); }
  bool real(const std::string&) override { return scalar("a number"); }

  bool string(std::string& value) override {
    std::optional<std::string>* const field = std::exchange(string_field_, nullptr);
    if (field == nullptr) return scalar("a string");
    field->emplace(std::move(value));
    return true;
  }

  bool begin_object() override {
    if (depth_ == kMessageDepth - 1 && in_messages_) {
      role_.reset();
      content_.reset();
    } else if (depth_ > 0 && !expect_no_value("an object")) {
      return false;
    }
    return descend();
  }
  bool end_object() override {
    if (depth_ == kMessageDepth && in_messages_ && !end_message()) return false;
    --depth_;
    return true;
  }

  bool begin_array() override {
    if (std::exchange(expects_messages_, false)) {
      in_messages_ = true;
      fields_.messages.emplace();
      return descend();
    }
    return expect_no_value("a list") && descend();
  }
  bool end_array() override {
    if (--depth_ == 1) in_messages_ = false;
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) return record_key(name);
    if (depth_ == kMessageDepth && in_messages_) return message_key(name);
    return true;
  }

 private:
  // The record is at depth 1, its list of messages at 2.
  static constexpr size_t kMessageDepth = 3;

  bool descend() {
    ++depth_;
    return true;
  }

  bool scalar(std::string_view type) { return expect_no_value(type); }

  // A value of this type has come where none is kept, unless a field that counts needs another
  // type.
  bool expect_no_value(std::string_view type) {
    if (depth_ == 0) return stop("holds " + std::string(type) + ", not a JSON object");
    if (string_field_ != nullptr || expects_messages_) {
      const std::string needed = expects_messages_ ? "a list of messages" : "a string";
      return stop(where() + "the field " + in_quotes(name_) + " is " + std::string(type) +
                  ", not " + needed);
    }
    if (depth_ == kMessageDepth - 1 && in_messages_) {
      return stop(where() + "is " + std::string(type) +
                  ", not an object with \"role\" and \"content\"");
    }
    return true;
  }

  // "message 3: " within one.
  std::string where() const {
    if (!in_messages_) return "";
    return "message " + std::to_string(fields_.messages->size() + 1) + ": ";
  }

  bool expect_string(std::optional<std::string>& field, const std::string& name) {
    name_ = name;
    if (field) return stop(where() + "the field " + in_quotes(name) + " is there twice");
    string_field_ = &field;
    return true;
  }

  bool record_key(const std::string& name) {
    if (name == options_.text_field) return expect_string(fields_.text, name);
    if (name == options_.prompt_field) return expect_string(fields_.prompt, name);
    if (name == options_.completion_field) return expect_string(fields_.completion, name);
    if (name != options_.messages_field) return true;
    name_ = name;
    if (fields_.messages) return stop("the field " + in_quotes(name) + " is there twice");
    expects_messages_ = true;
    return true;
  }

  bool message_key(const std::string& name) {
    if (name == "role") return expect_string(role_, name);
    if (name == "content") return expect_string(content_, name);
    return true;
  }

  bool end_message() {
    if (!role_ || !content_) {
      return stop(where() + "has no field " + (role_ ? "'content'" : "'role'"));
    }
    fields_.messages->push_back({std::move(*role_), std::move(*content_)});
    return true;
  }

  const TextOptions& options_;
  RecordFields fields_;
  size_t depth_ = 0;  // of objects and lists that are open
  bool in_messages_ = false;
  std::optional<std::string> role_, content_;  // of the open message
  // What the next value is for: a string for *string_field_, the list of messages, or nothing.
  std::optional<std::string>* string_field_ = nullptr;
  bool expects_messages_ = false;
  std::string name_;  // of that field
};

RecordFields read_fields(std::string_view line, const TextOptions& options) {
  if (line.size() > kMaxRecordBytes) {
    throw DataError("is longer than " + std::to_string(kMaxRecordBytes) + " bytes");
  }
  RecordReader reader(options);
  const JsonProblem problem = read_json(line, kRules, reader);
  if (!problem) return reader.take();
  // The parser knows UTF-8, but says less clearly what is wrong.
  const size_t invalid = find_invalid_utf8(line);
  if (invalid == std::string_view::npos) throw DataError(problem.phrase());
  throw DataError("is not UTF-8 at byte " + std::to_string(invalid) + "; convert it to UTF-8");
}

void require_one_kind(const RecordFields& fields, const TextOptions& options) {
  const bool is_completion = fields.prompt || fields.completion;
  const std::string& half = fields.prompt ? options.prompt_field : options.completion_field;
  std::vector<std::string> found;
  if (fields.text) found.push_back(in_quotes(options.text_field));
  if (is_completion) found.push_back(in_quotes(half));
  if (fields.messages) found.push_back(in_quotes(options.messages_field));
  if (found.empty()) {
    throw DataError("has none of the fields " + in_quotes(options.text_field) + ", " +
                    in_quotes(options.prompt_field) + " with " +
                    in_quotes(options.completion_field) + ", and " +
                    in_quotes(options.messages_field) +
                    "; name the field with --text_field or another of these keys");
  }
  if (found.size() > 1) {
    throw DataError("has the fields " + found[0] + " and " + found[1] +
                    ", which are of two kinds of record; keep one of them");
  }
  if (is_completion && !(fields.prompt && fields.completion)) {
    const std::string& other = fields.prompt ? options.completion_field : options.prompt_field;
    throw DataError("has the field " + in_quotes(half) + " but not " + in_quotes(other));
  }
}

Document make_document(RecordFields fields, const TextOptions& options) {
  if (fields.messages) {
    return format_chat(*fields.messages, options.chat_template, options.completion_only_loss);
  }
  Document document;
  if (fields.text) {
    document.parts.push_back({std::move(*fields.text)});
  } else {
    document.parts.push_back({std::move(*fields.prompt), !options.completion_only_loss});
    document.parts.push_back({std::move(*fields.completion)});
  }
  return document;
}

}  // namespace

Document parse_record(std::string_view line, const TextOptions& options, const RecordPlace& place) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  try {
    RecordFields fields = read_fields(line, options);
    require_one_kind(fields, options);
    return make_document(std::move(fields), options);
  } catch (const DataError& problem) {
    throw DataError("file '" + place.file + "', line " + std::to_string(place.line) + ": " +
                    problem.what());
  }
}

}  // namespace pdl
