// The fields of records and of messages beside those of which a document is made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "corpus/chat/chat_template.h"
#include "record_fixture.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// {"messages": …} of a user and an assistant that have these fields, too.
std::string chat_with(const std::string& of_user, const std::string& of_assistant) {
  return R"({"messages": [{"role": "user", "content": "u")" + of_user +
         R"(}, {"role": "assistant", "content": "a")" + of_assistant + "}]}";
}

TEST(RecordFieldsTest, ATurnOfWeight0IsNotTrained) {
  const std::string plain = shown(parse(chat_with("", "")));
  EXPECT_THAT(plain, AllOf(HasSubstr("+a\n"), HasSubstr("+!<|im_end|>")));
  for (const std::string field :
       {R"("weight": 1)", R"("weight": 1.0)", R"("weight": null)", R"("train": true)",
        R"("train": null)", R"("weight": 1, "train": true)"}) {
    EXPECT_EQ(shown(parse(chat_with(", " + field, ", " + field))), plain) << field;
  }
  for (const std::string field :
       {R"("weight": 0)", R"("weight": 0.0)", R"("weight": -0)", R"("weight": 0e9)",
        R"("train": false)", R"("weight": 0, "train": true)", R"("weight": 1, "train": false)"}) {
    EXPECT_THAT(shown(parse(chat_with("", ", " + field))), Not(HasSubstr("+"))) << field;
    EXPECT_EQ(shown(parse(chat_with(", " + field, ""))), plain) << "a user's turn never is";
  }
  // Only that turn: the next is trained again.
  const std::string line =
      R"({"messages": [{"role": "user", "content": "u"},
          {"weight": 0, "role": "assistant", "content": "bad"}, {"role": "user", "content": "v"},
          {"role": "assistant", "content": "good"}]})";
  for (const ChatTemplate chat_template : {ChatTemplate::kChatMl, ChatTemplate::kLlama2,
                                           ChatTemplate::kLlama3, ChatTemplate::kPlain}) {
    const std::vector<ChatMessage> messages = {
        {"user", "u"}, {"assistant", "bad", false}, {"user", "v"}, {"assistant", "good"}};
    TextOptions options;
    options.chat_template = name_of(chat_template);
    const Document document = parse(line, options);
    EXPECT_EQ(shown(document), shown(format_chat(messages, chat_template, true)));
    std::string trained;
    for (const DocumentPart& part : document.parts) trained += part.trained ? part.text : "";
    EXPECT_THAT(trained, AllOf(HasSubstr("good"), Not(HasSubstr("bad"))));
  }
}

TEST(RecordFieldsTest, ARecordOfWeight0IsNotTrained) {
  TextOptions all;
  all.completion_only_loss = false;
  for (
      const std::string record :
      {R"("text": "t")", R"("prompt": "p", "completion": "c")",
       R"("messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}])"}) {
    const std::string plain = shown(parse("{" + record + "}"));
    EXPECT_THAT(plain, HasSubstr("+"));
    for (const std::string field : {R"("weight": 0)", R"("train": false)"}) {
      EXPECT_THAT(shown(parse("{" + field + "," + record + "}")), Not(HasSubstr("+")));
      EXPECT_THAT(shown(parse("{" + record + "," + field + "}", all)), Not(HasSubstr("+")));
    }
    for (const std::string field : {R"("weight": 1)", R"("train": true)", R"("weight": null)"}) {
      EXPECT_EQ(shown(parse("{" + field + "," + record + "}")), plain);
    }
  }
}

TEST(RecordFieldsTest, AnotherWeightIsRefused) {
  const std::vector<std::pair<std::string, std::string>> fields = {
      {R"("weight": 0.5)", "'weight' is 0.5, not 0 or 1"},
      {R"("weight": 2)", "'weight' is 2, not 0 or 1"},
      {R"("weight": -1)", "'weight' is -1, not 0 or 1"},
      {R"("weight": 1e300)", "'weight' is 1e300, not 0 or 1"},
      {R"("weight": 18446744073709551616)", "'weight' is 18446744073709551616, not 0 or 1"},
      {R"("weight": true)", "'weight' is a boolean, not 0 or 1"},
      {R"("weight": "1")", "'weight' is a string, not 0 or 1"},
      {R"("weight": "")", "'weight' is a string, not 0 or 1"},
      {R"("weight": [])", "'weight' is a list, not 0 or 1"},
      {R"("train": 0)", "'train' is a number, not true or false"},
      {R"("train": 1.0)", "'train' is a number, not true or false"},
      {R"("train": "true")", "'train' is a string, not true or false"},
      {R"("train": {})", "'train' is an object, not true or false"},
      {R"("weight": 1, "weight": 1)", "'weight' is there twice"},
      {R"("train": null, "train": true)", "'train' is there twice"}};
  for (const auto& [field, problem] : fields) {
    EXPECT_THAT(error_of(chat_with("", "," + field)),
                HasSubstr("line 7: message 2: the field " + problem));
    EXPECT_THAT(error_of(R"({"text": "a",)" + field + "}"),
                HasSubstr("line 7: the field " + problem));
    EXPECT_THAT(error_of("{" + field + R"(,"prompt": "a", "completion": "b"})"),
                HasSubstr("line 7: the field " + problem));
  }
}

const std::vector<std::string> kEmptyValues = {"null", "\"\"", "[]", "{}", "[ ]", "{ }"};
const std::vector<std::string> kOtherValues = {"false",
                                               "0",
                                               "1.5",
                                               "\"x\"",
                                               "[null]",
                                               "[[]]",
                                               "[{}]",
                                               R"({"": null})",
                                               R"([{"weight": 0}])",
                                               R"([{"role": "user", "content": "x"}])",
                                               R"({"role": {"content": []}})"};

TEST(RecordFieldsTest, NoOtherFieldOfAMessageIsDropped) {
  const std::string plain = shown(parse(chat_with("", "")));
  for (const std::string name : {"tool_calls", "function_call", "reasoning_content", "name",
                                 "tool_call_id", "thinking", "images", "Role", "", "any"}) {
    for (const std::string& value : kOtherValues) {
      const std::string field = ",\"" + name + "\": " + value;
      EXPECT_THAT(error_of(chat_with("", field)),
                  HasSubstr("line 7: message 2: the field '" + name + "' is not supported"))
          << field;
      EXPECT_THAT(error_of(chat_with(field, field)), HasSubstr("message 1: the field '" + name));
    }
    for (const std::string& value : kEmptyValues) {
      const std::string field = ",\"" + name + "\": " + value;
      EXPECT_EQ(shown(parse(chat_with(field, field + field))), plain) << field;
    }
  }
  // Such a message has often no content.
  for (const std::string content : {R"("content": null, )", ""}) {
    EXPECT_THAT(error_of(R"({"messages": [{"role": "assistant", )" + content +
                         R"("tool_calls": [{"id": "x"}]}]})"),
                HasSubstr("message 1: the field 'tool_calls' is not supported"));
    EXPECT_THAT(
        error_of(R"({"messages": [{)" + content + R"("tool_calls": [], "role": "user"}]})"),
        HasSubstr(content.empty() ? "message 1: has no field 'content'"
                                  : "message 1: the field 'content' is null, not a string"));
  }
  // A message of another format lacks a role first of all.
  EXPECT_THAT(error_of(R"({"messages": [{"from": "human", "value": "x"}]})"),
              HasSubstr("message 1: has no field 'role'"));
}

TEST(RecordFieldsTest, WhatChangesARecordIsRefused) {
  const std::vector<std::string> records = {
      R"("prompt": "p", "completion": "c")",
      R"("messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}])"};
  for (const std::string name :
       {"tools", "functions", "documents", "chat_template", "chat_template_kwargs", "system",
        "input", "history", "chosen", "rejected", "label", "reasoning_content", "images",
        "input_ids", "assistant_masks"}) {
    for (const std::string& record : records) {
      for (const std::string& value : kOtherValues) {
        const std::string field = '"' + name + "\": " + value;
        const std::string refusal = "line 7: the field '" + name + "' changes what a record means";
        EXPECT_THAT(error_of("{" + record + "," + field + "}"), HasSubstr(refusal)) << field;
        EXPECT_THAT(error_of("{" + field + "," + record + "}"), HasSubstr(refusal)) << field;
      }
      for (const std::string& value : kEmptyValues) {
        const std::string field = '"' + name + "\": " + value;
        const Document document = parse("{" + field + "," + record + "}");
        EXPECT_EQ(shown(document), shown(parse("{" + record + "}"))) << field;
        EXPECT_THAT(document.other_fields, IsEmpty());
      }
    }
    // Nobody reads them beside a whole text.
    const std::string line = R"({"text": "t", ")" + name + "\": 1}";
    if (name == "input_ids") {
      EXPECT_THAT(error_of(line), HasSubstr("the field 'input_ids' changes"));
    } else {
      EXPECT_THAT(parse(line).other_fields, ElementsAre(name));
    }
  }
  // A key may give such a name to a field that counts.
  TextOptions options;
  options.prompt_field = "instruction";
  options.completion_field = "chosen";
  EXPECT_EQ(shown(parse(R"({"instruction": "a", "chosen": "b", "input": ""})", options)),
            "-a\n+b\n");
  EXPECT_THAT(error_of(R"({"instruction": "a", "chosen": "b", "input": "c"})", options),
              HasSubstr("the field 'input' changes"));
}

TEST(RecordFieldsTest, OtherFieldsThatHoldSomethingAreNamed) {
  EXPECT_THAT(parse(R"({"id": 0, "text": "a", "url": "", "meta": {"lang": "en"}, "tags": []})")
                  .other_fields,
              ElementsAre("id", "meta"));
  EXPECT_THAT(
      parse(R"({"source": "x", "prompt": "a", "completion": "b", "prompt_id": null})").other_fields,
      ElementsAre("source"));
  const std::string chat = chat_with("", "");
  EXPECT_THAT(parse(chat).other_fields, IsEmpty());
  EXPECT_THAT(parse(chat.substr(0, chat.size() - 1) + R"(, "score": 0.5})").other_fields,
              ElementsAre("score"));
}

}  // namespace
}  // namespace pdl
