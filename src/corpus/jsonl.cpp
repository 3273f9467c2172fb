#include "pdl/corpus/jsonl.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"
#include "record_fields.h"
#include "rendered_record.h"

namespace pdl {
namespace {

// Receives the parts of a record and keeps the fields that count: the rest of a record is checked
// to be JSON, but not built.
class RecordReader final : public JsonHandler {
 public:
  explicit RecordReader(const TextOptions& options) : options_(options) {}

  RecordFields take() { return std::move(fields_); }

  bool null() override {
    if (expected_ == Expected::kWeight || expected_ == Expected::kTrain) return end_expected();
    if (expected_ == Expected::kString && string_field_ == &content_) {
      content_is_null_ = true;  // refused once it is known what else the message says
      return end_expected();
    }
    return end_scalar("null", /*is_empty=*/true);
  }
  bool boolean(bool value) override {
    if (expected_ == Expected::kTrain) return end_training(value);
    return end_scalar("a boolean", /*is_empty=*/false);
  }
  bool integer(int64_t value) override {
    if (expected_ == Expected::kWeight) return end_weight(std::to_string(value));
    return end_scalar("a number", /*is_empty=*/false);
  }
  bool real(const std::string& written) override {
    if (expected_ == Expected::kWeight) return end_weight(written);
    return end_scalar("a number", /*is_empty=*/false);
  }

  bool string(std::string& value) override {
    if (expected_ != Expected::kString) return end_scalar("a string", value.empty());
    string_field_->emplace(std::move(value));
    return end_expected();
  }

  bool begin_object() override {
    if (depth_ == kMessageDepth - 1 && in_messages_) {
      role_.reset();
      content_.reset();
      content_is_null_ = false;
      message_training_ = {};
      message_other_.reset();
    } else if (depth_ > 0 && !expect_no_value("an object")) {
      return false;
    }
    return descend();
  }
  bool end_object() override {
    if (depth_ == kMessageDepth && in_messages_ && !end_message()) return false;
    return ascend();
  }

  bool begin_array() override {
    if (expected_ == Expected::kMessages) {
      in_messages_ = true;
      fields_.messages.emplace();
      return end_expected() && descend();
    }
    return expect_no_value("a list") && descend();
  }
  bool end_array() override {
    if (depth_ == kMessageDepth - 1) in_messages_ = false;
    return ascend();
  }

  bool key(std::string& name) override {
    is_empty_ = false;
    if (depth_ == 1) return record_key(name);
    if (depth_ == kMessageDepth && in_messages_) return message_key(name);
    return true;
  }

 private:
  // The record is at depth 1, its list of messages at 2.
  static constexpr size_t kMessageDepth = 3;
  // What the next value is for.
  enum class Expected { kNothing, kString, kMessages, kWeight, kTrain };

  bool descend() {
    ++depth_;
    is_empty_ = true;
    return true;
  }
  bool ascend() {
    --depth_;
    end_other(std::exchange(is_empty_, false));
    return true;
  }

  bool end_expected() {
    expected_ = Expected::kNothing;
    return true;
  }
  bool end_scalar(std::string_view type, bool is_empty) {
    is_empty_ = false;
    if (!expect_no_value(type)) return false;
    end_other(is_empty);
    return true;
  }
  bool end_weight(const std::string& written) {
    double weight = -1;  // stays so beyond the range of a double, as 1e-400 is
    std::from_chars(written.data(), written.data() + written.size(), weight);
    if (weight == 0 || weight == 1) return end_training(weight == 1);
    return stop(where() + "the field 'weight' is " + printable(written) +
                ", not 0 or 1; the loss has no other weights of turns or records");
  }
  bool end_training(bool trained) {
    training().trained &= trained;
    return end_expected();
  }

  // The value of a field ends that no part of a document is made of.
  void end_other(bool is_empty) {
    const bool is_field = depth_ == 1 || (depth_ == kMessageDepth && in_messages_);
    if (!is_field || !other_) return;
    if (!is_empty && in_messages_) {
      if (!message_other_) message_other_ = std::move(other_);
    } else if (!is_empty) {
      fields_.others.push_back(std::move(*other_));
    }
    other_.reset();
  }

  // A value of this type has come where none is kept, unless a field that counts needs another
  // type.
  bool expect_no_value(std::string_view type) {
    if (depth_ == 0) return stop("holds " + std::string(type) + ", not a JSON object");
    if (expected_ != Expected::kNothing) {
      return stop(where() + "the field " + in_quotes(name_) + " is " + std::string(type) +
                  ", not " + name_of(expected_));
    }
    if (depth_ == kMessageDepth - 1 && in_messages_) {
      return stop(where() + "is " + std::string(type) +
                  ", not an object with \"role\" and \"content\"");
    }
    return true;
  }

  static std::string name_of(Expected expected) {
    switch (expected) {
      case Expected::kMessages:
        return "a list of messages";
      case Expected::kWeight:
        return "0 or 1";
      case Expected::kTrain:
        return "true or false";
      default:
        return "a string";
    }
  }

  // "message 3: " within one.
  std::string where() const {
    if (!in_messages_) return "";
    return "message " + std::to_string(fields_.messages->size() + 1) + ": ";
  }

  Training& training() { return in_messages_ ? message_training_ : fields_.training; }

  bool expect(Expected expected, bool is_there, const std::string& name) {
    name_ = name;
    if (is_there) return stop(where() + "the field " + in_quotes(name) + " is there twice");
    expected_ = expected;
    return true;
  }
  bool expect_string(std::optional<std::string>& field, const std::string& name) {
    string_field_ = &field;
    return expect(Expected::kString, field.has_value(), name);
  }
  bool other_key(std::string& name) {
    if (name == "weight") {
      return expect(Expected::kWeight, std::exchange(training().has_weight, true), name);
    }
    if (name == "train") {
      return expect(Expected::kTrain, std::exchange(training().has_train, true), name);
    }
    other_ = std::move(name);
    return true;
  }

  bool record_key(std::string& name) {
    if (name == options_.text_field) return expect_string(fields_.text, name);
    if (name == options_.prompt_field) return expect_string(fields_.prompt, name);
    if (name == options_.completion_field) return expect_string(fields_.completion, name);
    if (name == options_.messages_field) {
      return expect(Expected::kMessages, fields_.messages.has_value(), name);
    }
    return other_key(name);
  }

  bool message_key(std::string& name) {
    if (name == "role") return expect_string(role_, name);
    if (name == "content") return expect_string(content_, name);
    return other_key(name);
  }

  bool end_message() {
    if (content_is_null_ && !message_other_) {
      return stop(where() + "the field 'content' is null, not a string");
    }
    if (!role_) return stop(where() + "has no field 'role'");
    if (message_other_) {
      return stop(where() + "the field " + in_quotes(*message_other_) +
                  " is not supported; leave it out, or write what it says into the content");
    }
    if (!content_) return stop(where() + "has no field 'content'");
    fields_.messages->push_back(
        {std::move(*role_), std::move(*content_), message_training_.trained});
    return true;
  }

  const TextOptions& options_;
  RecordFields fields_;
  size_t depth_ = 0;       // of objects and lists that are open
  bool is_empty_ = false;  // the innermost of them has nothing in it so far
  bool in_messages_ = false;
  // Of the open message.
  std::optional<std::string> role_, content_;
  bool content_is_null_ = false;
  Training message_training_;
  std::optional<std::string> message_other_;  // the first of its other fields that hold something

  Expected expected_ = Expected::kNothing;
  std::string name_;                                    // of the field whose value is expected
  std::optional<std::string>* string_field_ = nullptr;  // for kString
  std::optional<std::string> other_;  // the name of the field whose value is passed over
};

RecordFields read_fields(std::string_view line, const TextOptions& options) {
  if (line.size() > kMaxRecordBytes) {
    throw DataError("is longer than " + std::to_string(kMaxRecordBytes) + " bytes");
  }
  RecordReader reader(options);
  const JsonProblem problem = read_json(line, kRecordRules, reader);
  if (!problem) return reader.take();
  // The parser knows UTF-8, but says less clearly what is wrong.
  const size_t invalid = find_invalid_utf8(line);
  if (invalid == std::string_view::npos) throw DataError(problem.phrase());
  throw DataError("is not UTF-8 at byte " + std::to_string(invalid) + "; convert it to UTF-8");
}

Document make_document(RecordFields fields, const TextOptions& options, const ChatFormat& chats) {
  Document document;
  if (fields.messages) {
    document = format_chat(*fields.messages, *chats.built_in(), options.completion_only_loss);
  } else if (fields.text) {
    document.parts.push_back({std::move(*fields.text)});
  } else {
    document.parts.push_back({std::move(*fields.prompt), !options.completion_only_loss});
    document.parts.push_back({std::move(*fields.completion)});
  }
  for (DocumentPart& part : document.parts) part.trained &= fields.training.trained;
  document.other_fields = std::move(fields.others);
  return document;
}

}  // namespace

namespace {

// Calls read(line), without its \r; what is wrong with the line gets its place.
template <class Read>
Document read_line(std::string_view line, const RecordPlace& place, const Read& read) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  try {
    return read(line);
  } catch (const DataError& problem) {
    throw DataError("file '" + place.file + "', line " + std::to_string(place.line) + ": " +
                    problem.what());
  }
}

}  // namespace

Document parse_record(std::string_view line, const TextOptions& options, const ChatFormat& chats,
                      const RecordPlace& place) {
  return read_line(line, place, [&](std::string_view record) {
    if (!chats.built_in()) {
      if (auto document = parse_rendered_record(record, options, chats))
        return std::move(*document);
    }
    RecordFields fields = read_fields(record, options);
    require_one_kind(fields, options);
    require_no_more_to_say(fields, /*is_rendered=*/false);
    return make_document(std::move(fields), options, chats);
  });
}

Document parse_prompt_record(std::string_view line, const TextOptions& options,
                             const ChatFormat& chats, const RecordPlace& place) {
  return read_line(line, place, [&](std::string_view record) {
    if (!chats.built_in()) {
      if (auto document = parse_rendered_record(record, options, chats, /*prompts_answer=*/true))
        return std::move(*document);
    }
    RecordFields fields = read_fields(record, options);
    if (fields.messages.has_value() == fields.prompt.has_value()) {
      throw DataError("has " + std::string(fields.prompt ? "both" : "none") + " of the fields " +
                      in_quotes(options.prompt_field) + " and " +
                      in_quotes(options.messages_field) + "; give one");
    }
    if (fields.messages) {
      require_no_more_to_say(fields, /*is_rendered=*/false);
      return format_chat(*fields.messages, *chats.built_in(), options.completion_only_loss,
                         /*prompts_answer=*/true);
    }
    Document document;
    document.parts.push_back({std::move(*fields.prompt)});
    return document;
  });
}

}  // namespace pdl
