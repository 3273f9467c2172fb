// Chats that a template in Jinja renders: which parts of the text are trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "corpus/record_fixture.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using nlohmann::ordered_json;

using ::testing::HasSubstr;

constexpr const char* kPlainTemplate =
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content | trim }}<|end|>\n{% endfor %}";
// Drops the thoughts of earlier turns and writes an empty one, as some published templates do.
constexpr const char* kThoughtTemplate = R"({%- for m in messages %}
{%- if m.role == 'assistant' %}
{%- set answer = m.content.split('</think>')[-1].lstrip('\n') %}
{%- if loop.last and '</think>' in m.content %}
{%- set thought = m.content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
{{- '<|assistant|>\n<think>\n' + thought + '\n</think>\n\n' + answer + '<|end|>\n' }}
{%- elif loop.last %}
{{- '<|assistant|>\n<think>\n\n</think>\n\n' + answer + '<|end|>\n' }}
{%- else %}
{{- '<|assistant|>\n' + answer + '<|end|>\n' }}
{%- endif %}
{%- else %}
{{- '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}
{%- endif %}
{%- endfor %})";
constexpr const char* kMarkedTemplate =
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}{% if m.tool_calls %}[{{ m.tool_calls | tojson }}]{% endif %}<|end|>"
    "{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}";

class RenderedChatTest : public ::testing::Test {
 protected:
  // "+" before a part that is trained, "-" before another; adjacent ones that are alike are joined,
  // and "$" stands after a part whose end is trained with it.
  std::string rendered(const std::string& chat_template, const ordered_json& record) {
    options_.chat_template = folder_.file("t.jinja", chat_template);
    std::string text;
    char before = ' ';
    try {
      const Document document = parse(record.dump(), options_);
      for (const DocumentPart& part : document.parts) {
        const char sign = part.trained ? '+' : '-';
        if (sign != before) text += sign;
        before = sign;
        text += part.text + (part.takes_end ? "$" : "");
      }
    } catch (const Error& error) {
      return error.what();
    }
    return text;
  }

  TextOptions options_;
  TempFolder folder_;
};

ordered_json chat(const ordered_json& messages) { return {{"messages", messages}}; }

ordered_json message(const std::string& role, const ordered_json& content) {
  return {{"role", role}, {"content", content}};
}

TEST_F(RenderedChatTest, TrainsTheContentOfTheAssistantAsRendered) {
  EXPECT_EQ(
      rendered(kPlainTemplate,
               chat(ordered_json::array({message("user", " Hi "), message("assistant", " Hello\n"),
                                         message("user", "Hello"), message("assistant", "")}))),
      "-<|user|>\nHi<|end|>\n<|assistant|>\n+Hello$-<|end|>\n<|user|>\nHello<|end|>\n"
      "<|assistant|>\n+$-<|end|>\n");
}

TEST_F(RenderedChatTest, DoesNotTrainWhatTheTemplatePutsBeforeTheContent) {
  EXPECT_EQ(rendered(kThoughtTemplate,
                     chat(ordered_json::array({message("user", "a"),
                                               message("assistant", "<think>\nt\n</think>\n\nb"),
                                               message("user", "c"), message("assistant", "d")}))),
            "-<|user|>\na<|end|>\n<|assistant|>\n+b$-<|end|>\n<|user|>\nc<|end|>\n<|assistant|>\n"
            "<think>\n\n</think>\n\n+d$-<|end|>\n");
}

TEST_F(RenderedChatTest, TrainsAContentThatStandsInTheTextAsAWhole) {
  EXPECT_EQ(
      rendered(kThoughtTemplate,
               chat(ordered_json::array(
                   {message("user", "a"), message("assistant", "<think>\nt\n</think>\n\nb")}))),
      "-<|user|>\na<|end|>\n<|assistant|>\n+<think>\nt\n</think>\n\nb$-<|end|>\n");
}

TEST_F(RenderedChatTest, TrainsWhatTheTemplateMarks) {
  ordered_json call = message("assistant", "b");
  call["tool_calls"] = ordered_json::array({{{"name", "f"}}});
  EXPECT_EQ(rendered(kMarkedTemplate, chat(ordered_json::array({message("user", "a"), call}))),
            "-<|user|>a<|end|><|assistant|>+b[[{\"name\": \"f\"}]]<|end|>");
}

TEST_F(RenderedChatTest, ATurnOfWeightZeroIsNotTrained) {
  ordered_json untrained = message("assistant", "b");
  untrained["weight"] = 0;
  const ordered_json record = chat(ordered_json::array(
      {message("user", "a"), untrained, message("user", "c"), message("assistant", "d")}));
  const std::string plain =
      "-<|user|>\na<|end|>\n<|assistant|>\nb$<|end|>\n<|user|>\nc<|end|>\n<|assistant|>\n+d$-"
      "<|end|>\n";
  EXPECT_EQ(rendered(kPlainTemplate, record), plain);
  EXPECT_EQ(rendered(kMarkedTemplate, record),
            "-<|user|>a<|end|><|assistant|>b<|end|><|user|>c<|end|><|assistant|>+d<|end|>");
  options_.completion_only_loss = false;
  EXPECT_EQ(rendered(kPlainTemplate, record),
            "+<|user|>\na<|end|>\n<|assistant|>\n-b$+<|end|>\n<|user|>\nc<|end|>\n<|assistant|>\n"
            "d$<|end|>\n");
  ordered_json whole = record;
  whole["train"] = false;
  EXPECT_THAT(rendered(kPlainTemplate, whole), ::testing::Not(HasSubstr("+")));
}

TEST_F(RenderedChatTest, RefusesAContentThatCannotBeToldFromTheRest) {
  const ordered_json record =
      chat(ordered_json::array({message("user", "a"), message("assistant", "b")}));
  EXPECT_THAT(rendered("{% for m in messages %}{{ m.content }}{% endfor %}{{ messages[1].content }}"
                       "{{ messages[0].content }}{{ messages[1].content }}",
                       record),
              HasSubstr("message 2 cannot be told from the rest of what the chat template"));
  EXPECT_THAT(rendered("{{ (messages[0].content + messages[1].content) | upper }}", record),
              HasSubstr("it computes a text of several messages"));
}

TEST_F(RenderedChatTest, ATemplateSeesWhatTransformersPassesToIt) {
  const ordered_json record = ordered_json::parse(R"({
      "messages": [{"role": "assistant", "content": null, "reasoning": "r", "weight": 1}],
      "tools": [{"type": "function"}], "chat_template_kwargs": {"flag": true}})");
  EXPECT_EQ(rendered("{{ messages | tojson }} {{ tools | tojson }} {{ documents }} {{ flag }} "
                     "{{ add_generation_prompt }}",
                     record),
            "-[{\"thinking\": \"r\", \"role\": \"assistant\", \"reasoning\": \"r\", "
            "\"reasoning_content\": \"r\"}] [{\"type\": \"function\"}] None True False");
}

TEST_F(RenderedChatTest, RefusesWithFileLineAndReason) {
  const ordered_json record = chat(ordered_json::array({message("user", "a")}));
  EXPECT_THAT(rendered("{{ raise_exception('no ' + messages[0].role) }}", record),
              HasSubstr("file 'data.jsonl', line 7: chat template '"));
  EXPECT_THAT(rendered("{{ raise_exception('no ' + messages[0].role) }}", record),
              HasSubstr("refuses the chat: no user"));
  EXPECT_THAT(rendered("{{ x", record), HasSubstr("t.jinja', line 1, has a tag without an end"));
  EXPECT_THAT(rendered("{{ strftime_now('%Y') }}", record), HasSubstr("set chat_date to a day"));
  EXPECT_THAT(rendered("x", chat(ordered_json::array({{{"content", "a"}}}))),
              HasSubstr("has no field 'role'"));
  EXPECT_THAT(rendered("x", chat(ordered_json::array({1}))),
              HasSubstr("message 1 is not an object"));
  EXPECT_THAT(rendered("x", chat(ordered_json::array())), HasSubstr("is empty"));
  ordered_json weighted = record;
  weighted["messages"][0]["weight"] = 0.5;
  EXPECT_THAT(rendered("x", weighted), HasSubstr("message 1: the field 'weight' is not 0 or 1"));
  ordered_json other = record;
  other["functions"] = ordered_json::array({1});
  EXPECT_THAT(rendered("x", other), HasSubstr("the field 'functions' changes what"));
  ordered_json both = record;
  both["text"] = "t";
  EXPECT_THAT(rendered("x", both), HasSubstr("are of two kinds of record"));
  ordered_json taken = record;
  taken["chat_template_kwargs"] = {{"messages", 1}};
  EXPECT_THAT(rendered("x", taken), HasSubstr("the name 'messages'"));
}

TEST_F(RenderedChatTest, TheDateIsThatOfTheOptions) {
  options_.chat_date = "2026-07-04";
  EXPECT_EQ(
      rendered("{{ strftime_now('%d %b %Y') }}", chat(ordered_json::array({message("user", "a")}))),
      "-04 Jul 2026");
  options_.chat_date = "2026-02-30";
  EXPECT_THAT(rendered("x", chat(ordered_json::array({message("user", "a")}))),
              HasSubstr("is no day"));
}

TEST_F(RenderedChatTest, TheFingerprintKnowsTextAndDate) {
  const auto fingerprint = [&](const std::string& text, const std::string& date) {
    const TextOptions options{.chat_template = folder_.file("f.jinja", text), .chat_date = date};
    return ChatFormat(options, nullptr).fingerprint();
  };
  EXPECT_EQ(fingerprint("a", "2026-07-04"), fingerprint("a", "2026-07-05"));
  EXPECT_NE(fingerprint("a", ""), fingerprint("b", ""));
  EXPECT_NE(fingerprint("{{ strftime_now('%Y') }}", "2026-07-04"),
            fingerprint("{{ strftime_now('%Y') }}", "2026-07-05"));
  EXPECT_TRUE(ChatFormat::is_fingerprint(fingerprint("a", "")));
  EXPECT_TRUE(ChatFormat::is_fingerprint(ChatFormat({}, nullptr).fingerprint()));
  EXPECT_EQ(ChatFormat({}, nullptr).name(), "chatml");
  EXPECT_FALSE(ChatFormat::is_fingerprint("chat"));
}

}  // namespace
}  // namespace pdl
