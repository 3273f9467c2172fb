#include "pdl/corpus/jsonl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "corpus/chat/chat_template.h"
#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/unicode.h"
#include "record_fixture.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(JsonlTest, ATextIsTrainedAsAWhole) {
  EXPECT_EQ(shown(parse(R"({"text": " a\n\"b\" \u00e9\ud83d\ude42é "})")),
            "+ a\n\"b\" é🙂é \n");
  EXPECT_EQ(shown(parse(R"({"text":""})")), "+\n");
  TextOptions options;
  options.completion_only_loss = false;
  EXPECT_EQ(shown(parse(R"( { "text" : "a" } )", options)), "+a\n");
}

TEST(JsonlTest, ANulMayBeEscaped) {
  EXPECT_EQ(parse(R"({"text": "a\u0000b"})").parts.at(0).text, std::string("a\0b", 3));
}

TEST(JsonlTest, APromptIsTrainedOnlyWithoutCompletionOnlyLoss) {
  const std::string line = R"({"completion": "c ", "prompt": "p"})";
  EXPECT_EQ(shown(parse(line)), "-p\n+c \n");
  TextOptions options;
  options.completion_only_loss = false;
  EXPECT_EQ(shown(parse(line, options)), "+p\n+c \n");
}

TEST(JsonlTest, MessagesBecomeAChat) {
  const std::string line =
      R"({"messages": [{"content": "u", "role": "user"},
          {"role": "assistant", "content": "\u00e9"}]})";
  for (const ChatTemplate chat_template : {ChatTemplate::kChatMl, ChatTemplate::kLlama3}) {
    for (const bool completion_only : {true, false}) {
      TextOptions options;
      options.chat_template = name_of(chat_template);
      options.completion_only_loss = completion_only;
      const Document expected =
          format_chat({{"user", "u"}, {"assistant", "é"}}, chat_template, completion_only);
      EXPECT_EQ(shown(parse(line, options)), shown(expected));
    }
  }
}

TEST(JsonlTest, TheFieldsHaveTheNamesOfTheOptions) {
  TextOptions options;
  options.text_field = "body\n";
  options.prompt_field = "q";
  options.completion_field = "a";
  options.messages_field = "turns";
  EXPECT_EQ(shown(parse(R"({"body\n": "x", "text": 1, "prompt": 2, "messages": 3})", options)),
            "+x\n");
  EXPECT_EQ(shown(parse(R"({"q": "x", "a": "y"})", options)), "-x\n+y\n");
  EXPECT_EQ(shown(parse(R"({"turns": [{"role": "user", "content": "x"}]})", options)).substr(0, 5),
            "chat\n");
  EXPECT_THAT(error_of(R"({"text": "x"})", options),
              AllOf(HasSubstr(R"('body\n', 'q' with 'a', and 'turns')")));
}

// Any value may stand in a field that does not count, also the names of those that do, deeper.
TEST(JsonlTest, OtherFieldsAreIgnored) {
  const std::vector<std::string> values = {
      "null",
      "true",
      "-1.5e3",
      "18446744073709551615",
      R"("text")",
      "[]",
      "{}",
      R"([[{"text": 1, "messages": 2}], "prompt"])",
      R"({"text": {"text": null, "text": null}, "role": 1, "messages": [1, {"content": 2}]})"};
  for (const std::string& value : values) {
    for (const std::string other : {"meta", "Text", "text ", "", "role", "content"}) {
      const std::string field = '"' + other + "\": " + value;
      EXPECT_EQ(shown(parse("{" + field + R"(, "text": "a")" + ", " + field + "}")), "+a\n")
          << field;
    }
  }
}

TEST(JsonlTest, ACarriageReturnMayEndTheLine) {
  EXPECT_EQ(shown(parse("{\"text\": \"a\"}\r")), "+a\n");
  EXPECT_EQ(shown(parse("{\"text\": \"a\"} \r\r")), "+a\n");  // JSON's own white space
  EXPECT_THAT(error_of("\r"), HasSubstr("is not JSON"));
}

TEST(JsonlTest, ErrorsNameFileAndLine) {
  EXPECT_THAT(error_of("{}"),
              StartsWith("file 'data.jsonl', line 7: has none of the fields 'text', 'prompt' "
                         "with 'completion', and 'messages'; name"));
}

TEST(JsonlTest, ARecordIsOfOneKind) {
  const std::string text = R"("text": "t")";
  const std::string prompt = R"("prompt": "p")";
  const std::string completion = R"("completion": "c")";
  const std::string messages = R"("messages": [{"role": "user", "content": "u"}])";
  const std::string other = R"("id": 1)";
  EXPECT_THAT(error_of("{" + other + "}"), HasSubstr("has none of the fields"));
  EXPECT_THAT(error_of("{" + prompt + "," + other + "}"),
              HasSubstr("has the field 'prompt' but not 'completion'"));
  EXPECT_THAT(error_of("{" + completion + "}"),
              HasSubstr("has the field 'completion' but not 'prompt'"));
  const std::vector<std::string> kinds = {text, prompt + "," + completion, messages};
  for (const std::string& a : kinds) {
    for (const std::string& b : kinds) {
      if (&a == &b) continue;
      EXPECT_THAT(error_of("{" + a + "," + b + "}"), HasSubstr("of two kinds"));
    }
  }
  // Half of a kind is one, too.
  EXPECT_THAT(error_of("{" + text + "," + completion + "}"),
              HasSubstr("has the fields 'text' and 'completion', which are of two kinds"));
  EXPECT_THAT(error_of("{" + messages + "," + prompt + "}"), HasSubstr("'prompt' and 'messages'"));
}

TEST(JsonlTest, AValueOfAnotherTypeIsNamed) {
  const std::map<std::string, std::string> values = {
      {"null", "null"},    {"true", "a boolean"}, {"1", "a number"},    {"-1", "a number"},
      {"1.5", "a number"}, {"{}", "an object"},   {"[\"a\"]", "a list"}};
  for (const auto& [value, type] : values) {
    for (const std::string field : {"text", "prompt", "completion"}) {
      EXPECT_THAT(error_of(R"({"prompt": "p", "completion": "c", ")" + field + R"(x": 1})"),
                  HasSubstr("no error"));
      EXPECT_THAT(error_of("{\"" + field + "\": " + value + "}"),
                  HasSubstr("line 7: the field '" + field + "' is " + type + ", not a string"));
    }
    for (const std::string field : {"role", "content"}) {
      EXPECT_THAT(
          error_of(R"({"messages": [{"role": "user", "content": "u"}, {")" + field +
                   "\": " + value + "}]}"),
          HasSubstr("line 7: message 2: the field '" + field + "' is " + type + ", not a string"));
    }
    if (value[0] != '[') {
      EXPECT_THAT(error_of("{\"messages\": " + value + "}"),
                  HasSubstr("the field 'messages' is " + type + ", not a list of messages"));
      EXPECT_THAT(error_of(value),
                  HasSubstr(value == "{}" ? "has none" : "holds " + type + ", not a JSON object"));
    }
    if (value[0] != '{') {
      EXPECT_THAT(
          error_of("{\"messages\": [" + value + "]}"),
          HasSubstr("message 1: is " + type + ", not an object with \"role\" and \"content\""));
    }
  }
  EXPECT_THAT(error_of(R"({"messages": "hello"})"),
              HasSubstr("'messages' is a string, not a list of messages"));
  EXPECT_THAT(error_of(R"(["a"])"), HasSubstr("holds a list, not a JSON object"));
  EXPECT_THAT(error_of(R"("a")"), HasSubstr("holds a string, not a JSON object"));
}

TEST(JsonlTest, MessagesHaveRoleAndContent) {
  EXPECT_THAT(error_of(R"({"messages": []})"), HasSubstr("line 7: the list of messages is empty"));
  EXPECT_THAT(error_of(R"({"messages": [{}]})"), HasSubstr("message 1: has no field 'role'"));
  EXPECT_THAT(error_of(R"({"messages": [{"role": "user", "content": "u"}, {"role": "user"}]})"),
              HasSubstr("message 2: has no field 'content'"));
  EXPECT_THAT(error_of(R"({"messages": [{"content": "x"}]})"),
              HasSubstr("message 1: has no field 'role'"));
  EXPECT_THAT(error_of(R"({"messages": [{"role": "bot", "content": "x"}]})"),
              HasSubstr("line 7: message 1 has the role 'bot'"));
  // What one message has does not count for the next.
  EXPECT_THAT(error_of(R"({"messages": [{"role": "user", "content": "u"}, {"content": "x"}]})"),
              HasSubstr("message 2: has no field 'role'"));
}

TEST(JsonlTest, AFieldThatCountsStandsOnce) {
  EXPECT_THAT(error_of(R"({"text": "a", "text": "a"})"),
              HasSubstr("the field 'text' is there twice"));
  EXPECT_THAT(error_of(R"({"prompt": "a", "completion": "b", "prompt": "c"})"),
              HasSubstr("'prompt' is there twice"));
  EXPECT_THAT(error_of(R"({"messages": [], "messages": []})"),
              HasSubstr("'messages' is there twice"));
  EXPECT_THAT(error_of(R"({"messages": [{"role": "user", "content": "u", "role": "user"}]})"),
              HasSubstr("message 1: the field 'role' is there twice"));
  EXPECT_THAT(error_of(R"({"te\u0078t": "a", "text": "b"})"), HasSubstr("'text' is there twice"));
}

TEST(JsonlTest, WhatIsNotJsonIsRefused) {
  for (const std::string line : {"",
                                 " ",
                                 "{",
                                 "}",
                                 "{\"text\": \"a\"",
                                 "{\"text\": \"a}",
                                 "{\"text\": \"a\"}}",
                                 "{\"text\": \"a\"} {}",
                                 "{\"text\": \"a\",}",
                                 "{'text': 'a'}",
                                 "{text: \"a\"}",
                                 "{\"text\": \"a\" \"b\": 1}",
                                 "// x\n{\"text\": \"a\"}",
                                 "{\"text\": \"a\" /* x */}",
                                 "{\"x\": NaN, \"text\": \"a\"}",
                                 "{\"x\": 01, \"text\": \"a\"}",
                                 "{\"x\": .5, \"text\": \"a\"}",
                                 "{\"text\": \"a\\q\"}",
                                 "{\"text\": \"a\\u12\"}",
                                 "{\"text\": \"a\tb\"}",
                                 "{\"text\": \"a\nb\"}",
                                 "\xef\xbb\xbf{\"text\": \"a\"}",
                                 "{\"x\": tru, \"text\": \"a\"}",
                                 "{\"text\"}",
                                 "{\"text\": \"a\", \"x\"}",
                                 "{1: \"a\", \"text\": \"a\"}",
                                 "{\"x\": [1,], \"text\": \"a\"}"}) {
    EXPECT_THAT(error_of(line), HasSubstr("line 7: is not JSON")) << line;
    EXPECT_LT(error_of(line).size(), 300U);
  }
  EXPECT_THAT(error_of(std::string("{\"text\": \"a\"}\0", 14)),
              HasSubstr("is not JSON at byte 13: a NUL byte"));
  EXPECT_THAT(error_of(std::string("{\"text\": \"a\0b\"}", 16)),
              HasSubstr("is not JSON at byte 11: a NUL byte"));
  EXPECT_THAT(error_of(R"({"text": "a", "n": 1e999})"),
              HasSubstr("1e999 is too large for a number"));
  EXPECT_THAT(error_of("{\"text\": \"" + std::string(1000000, 'x')), HasSubstr("is not JSON"));
  EXPECT_LT(error_of("{\"text\": \"" + std::string(1000000, 'x')).size(), 300U);
}

TEST(JsonlTest, HalfASurrogatePairIsNoText) {
  for (const std::string escape :
       {"\\ud800", "\\udc00", "\\ud800\\ud800", "\\ud800x", "\\udc00\\ud800", "\\ud800\\n",
        "\\uD83D\\uD83D\\uDE42", "\\udfff"}) {
    for (const std::string field : {"text", "other"}) {
      const std::string line =
          "{\"text\": \"a\", \"x\": 1, \"" + field + "2\": \"" + escape + "\"}";
      EXPECT_THAT(error_of(line), AllOf(HasSubstr("is not JSON at byte"), HasSubstr("surrogate")))
          << line;
    }
    EXPECT_THAT(error_of("{\"text\": \"" + escape + "\"}"), HasSubstr("surrogate")) << escape;
  }
}

TEST(JsonlTest, InvalidUtf8IsFoundWhereverItIs) {
  Random random(1);
  const std::string line =
      R"({"tüxt": "é世🙂", "text": "é世🙂 plain", "x": ["é世🙂"]})";
  EXPECT_EQ(shown(parse(line)), "+é世🙂 plain\n");
  int num_invalid = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string changed = line;
    changed[random.below(changed.size())] = static_cast<char>(128 + random.below(128));
    const size_t invalid = find_invalid_utf8(changed);
    const std::string error = error_of(changed);
    if (invalid != std::string::npos) {
      ++num_invalid;
      EXPECT_THAT(error,
                  HasSubstr("line 7: is not UTF-8 at byte " + std::to_string(invalid) + ";"));
    }
  }
  EXPECT_GT(num_invalid, 10000);
  for (const std::string bytes : {"\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\xff", "\xc3"}) {
    EXPECT_THAT(error_of("{\"text\": \"" + bytes + "\"}"), HasSubstr("is not UTF-8 at byte 10"));
  }
}

// Every record that a JSON writer makes is read back, however it is escaped and whatever else it
// holds.
TEST(JsonlTest, ReadsBackWhatWasWritten) {
  Random random(2);
  const std::vector<std::string> alphabet = {"a",
                                             "\"",
                                             "\\",
                                             "/",
                                             "\b",
                                             "\f",
                                             "\n",
                                             "\r",
                                             "\t",
                                             "\x01",
                                             "\x7f",
                                             "é",
                                             "世",
                                             "🙂",
                                             "\u2028",
                                             "\ufeff",
                                             std::string(1, '\0')};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (uint64_t n = random.below(30); n > 0; --n) text += alphabet[random.below(alphabet.size())];
    nlohmann::ordered_json record;
    record["first"] = {{"text", text}};
    record["text"] = text;
    record["last"] = {text, nullptr};
    const Document document = parse(record.dump(-1, ' ', /*ensure_ascii=*/random.below(2) == 0));
    ASSERT_EQ(document.parts.size(), 1U);
    EXPECT_EQ(document.parts[0].text, text);
  }
}

TEST(JsonlTest, NestingIsLimited) {
  const auto nested = [](size_t depth) {
    return "{\"x\": " + std::string(depth, '[') + std::string(depth, ']') + ", \"text\": \"a\"}";
  };
  EXPECT_EQ(shown(parse(nested(63))), "+a\n");
  EXPECT_THAT(error_of(nested(64)), HasSubstr("is nested deeper than 64 levels"));
  EXPECT_THAT(error_of(std::string(kMaxRecordBytes, '[')), HasSubstr("line 7: "));
  std::string objects;
  while (objects.size() < 1000000) objects += "{\"x\":";
  EXPECT_THAT(error_of(objects), HasSubstr("is nested deeper than 64 levels"));
}

TEST(JsonlTest, TheLengthOfALineIsLimited) {
  const auto line_of = [](size_t size) {
    return "{\"text\": \"" + std::string(size - 12, 'x') + "\"}";
  };
  EXPECT_EQ(parse(line_of(kMaxRecordBytes)).parts.at(0).text.size(), kMaxRecordBytes - 12);
  EXPECT_THAT(error_of(line_of(kMaxRecordBytes + 1)),
              HasSubstr("line 7: is longer than 16777216 bytes"));
}

// Bytes at random end in a document or in a DataError, never otherwise.
TEST(JsonlTest, ChangedRecordsGiveDocumentsOrErrors) {
  Random random(3);
  const std::vector<std::string> lines = {
      R"({"text": "a\u00e9\ud83d\ude42", "n": [1.5e3, -0, true, null, {"k": []}]})",
      R"({"prompt": "p", "completion": "c"})",
      R"({"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]})"};
  int num_documents = 0;
  for (int i = 0; i < 30000; ++i) {
    std::string line = lines[random.below(lines.size())];
    for (uint64_t n = 1 + random.below(3); n > 0; --n) {
      const size_t at = random.below(line.size());
      if (random.below(2) == 0) {
        line[at] = static_cast<char>(random.below(256));
      } else {
        line.erase(at, 1 + random.below(3));
      }
      if (line.empty()) line = "{";
    }
    try {
      for (const DocumentPart& part : parse(line).parts) {
        EXPECT_EQ(find_invalid_utf8(part.text), std::string::npos);
      }
      ++num_documents;
    } catch (const DataError& problem) {
      EXPECT_THAT(problem.what(), StartsWith("file 'data.jsonl', line 7: "));
      EXPECT_LT(std::string_view(problem.what()).size(), 300U);
    }
  }
  EXPECT_GT(num_documents, 100);
}

}  // namespace
}  // namespace pdl
