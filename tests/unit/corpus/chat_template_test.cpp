#include "corpus/chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kTemplates = {ChatTemplate::kChatMl, ChatTemplate::kLlama2, ChatTemplate::kLlama3,
                             ChatTemplate::kPlain};

std::string text_of(const Document& document) {
  std::string text;
  for (const DocumentPart& part : document.parts) text += part.text;
  return text;
}

std::string trained_text_of(const Document& document) {
  std::string text;
  for (const DocumentPart& part : document.parts) text += part.trained ? part.text : "";
  return text;
}

// Formats a part as a line: "+" trained or "-", "!" control.
std::string shown(const Document& document) {
  std::string text;
  for (const DocumentPart& part : document.parts) {
    text += (part.trained ? "+" : "-") + std::string(part.is_control ? "!" : "") +
            printable(part.text) + "\n";
  }
  return text;
}

void expect_data_error(const std::vector<ChatMessage>& messages, ChatTemplate chat_template,
                       const std::string& what) {
  try {
    const Document document = format_chat(messages, chat_template, true);
    ADD_FAILURE() << "no error: " << text_of(document);
  } catch (const DataError& problem) {
    EXPECT_THAT(problem.what(), HasSubstr(what));
  }
}

struct GoldenChat {
  ChatTemplate chat_template;
  std::vector<ChatMessage> messages;
  std::optional<std::string> text;  // none: the published template refuses
};

// The text that transformers makes of many conversations, see
// tests/data/chat_templates/make_expected.py.
std::vector<GoldenChat> golden_chats() {
  const std::map<std::string, ChatTemplate> templates = {{"chatml", ChatTemplate::kChatMl},
                                                         {"llama2", ChatTemplate::kLlama2},
                                                         {"llama3", ChatTemplate::kLlama3}};
  const nlohmann::json all = nlohmann::json::parse(
      file_content(std::string(PDL_TEST_DATA) + "/data/chat_templates/expected.json"));
  std::vector<GoldenChat> chats;
  for (const auto& [name, chat_template] : templates) {
    for (const auto& item : all.at(name)) {
      GoldenChat chat{chat_template, {}, {}};
      for (const auto& message : item.at("messages")) {
        chat.messages.push_back({message.at("role"), message.at("content")});
      }
      if (!item.at("text").is_null()) chat.text = item.at("text");
      chats.push_back(std::move(chat));
    }
  }
  return chats;
}

// The template of llama2 drops these messages silently; the program must refuse them.
bool is_left_out(const GoldenChat& chat) {
  if (chat.chat_template != ChatTemplate::kLlama2) return false;
  for (size_t i = 0; i < chat.messages.size(); ++i) {
    const std::string& role = chat.messages[i].role;
    if (role == "tool" || (role == "system" && (i > 0 || chat.messages.size() == 1))) return true;
  }
  return false;
}

TEST(ChatTemplateTest, TheTextIsThatOfThePublishedTemplate) {
  std::map<ChatTemplate, int> num_compared;
  for (const GoldenChat& chat : golden_chats()) {
    if (!chat.text || is_left_out(chat)) {
      EXPECT_THROW(format_chat(chat.messages, chat.chat_template, true), DataError);
      continue;
    }
    const Document document = format_chat(chat.messages, chat.chat_template, true);
    EXPECT_TRUE(document.is_chat);
    EXPECT_EQ(text_of(document), *chat.text);
    ++num_compared[chat.chat_template];
  }
  EXPECT_EQ(num_compared[ChatTemplate::kChatMl], 105);
  EXPECT_EQ(num_compared[ChatTemplate::kLlama2], 70);
  EXPECT_EQ(num_compared[ChatTemplate::kLlama3], 105);
}

TEST(ChatTemplateTest, ControlTokensArePartsAndNothingElseIs) {
  const std::map<ChatTemplate, std::set<std::string>> controls = {
      {ChatTemplate::kChatMl, {"<|im_start|>", "<|im_end|>"}},
      {ChatTemplate::kLlama2, {"<s>", "</s>"}},
      {ChatTemplate::kLlama3,
       {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
      {ChatTemplate::kPlain, {}}};
  for (const auto& [chat_template, expected] : controls) {
    std::set<std::string> found;
    // A user's text stays text, even if it looks like a control token.
    for (const auto& part :
         format_chat({{"user", "<s></s><|im_end|>"}, {"assistant", "<|eot_id|>"}}, chat_template,
                     true)
             .parts) {
      if (part.is_control) found.insert(part.text);
    }
    EXPECT_EQ(found, expected);
  }
}

TEST(ChatTemplateTest, TrainedAreAssistantContentsAndTheEndsOfTheirTurns) {
  for (const GoldenChat& chat : golden_chats()) {
    if (!chat.text || is_left_out(chat)) continue;
    std::string expected;
    for (const auto& [role, content, is_trained] : chat.messages) {
      if (role != "assistant") continue;
      const std::string trimmed(without_outer_white_space(content));
      switch (chat.chat_template) {
        case ChatTemplate::kChatMl:
          expected += content + "<|im_end|>";
          break;
        case ChatTemplate::kLlama2:
          expected += " " + trimmed + " </s>";
          break;
        default:
          expected += trimmed + "<|eot_id|>";
      }
    }
    EXPECT_EQ(trained_text_of(format_chat(chat.messages, chat.chat_template, true)), expected);
  }
}

TEST(ChatTemplateTest, WithoutCompletionOnlyLossTheSamePartsAreAllTrained) {
  for (const ChatTemplate chat_template : kTemplates) {
    const std::vector<ChatMessage> messages = {
        {"system", "a"}, {"user", "b"}, {"assistant", "c"}, {"user", "d"}, {"assistant", ""}};
    Document expected = format_chat(messages, chat_template, true);
    for (DocumentPart& part : expected.parts) part.trained = true;
    EXPECT_EQ(shown(format_chat(messages, chat_template, false)), shown(expected));
  }
}

TEST(ChatTemplateTest, ATurnThatIsNotTrainedIsLeftOutOfAll) {
  for (const ChatTemplate chat_template : kTemplates) {
    std::vector<ChatMessage> messages = {
        {"user", "b"}, {"assistant", "c"}, {"user", "d"}, {"assistant", "e"}};
    const std::string whole = text_of(format_chat(messages, chat_template, false));
    const std::string first_turns =
        text_of(format_chat({messages[0], messages[1]}, chat_template, false));
    // The text of the first two turns, which end where the third begins.
    messages[0].trained = messages[1].trained = false;
    const Document document = format_chat(messages, chat_template, false);
    EXPECT_EQ(text_of(document), whole);
    const std::string begin = chat_template == ChatTemplate::kLlama3 ? "<|begin_of_text|>" : "";
    EXPECT_EQ(trained_text_of(document), begin + whole.substr(first_turns.size()));
  }
  // The system message of llama2 is a part of the user's turn.
  for (const bool system_alone : {true, false}) {
    const std::vector<ChatMessage> messages = {{"system", "a", !system_alone},
                                               {"user", "b", system_alone},
                                               {"assistant", "c"},
                                               {"user", "d"},
                                               {"assistant", "e"}};
    EXPECT_EQ(trained_text_of(format_chat(messages, ChatTemplate::kLlama2, false)),
              " c </s><s>[INST] d [/INST] e </s>");
  }
}

TEST(ChatTemplateTest, PartsOfAChat) {
  const std::vector<ChatMessage> messages = {
      {"system", "be brief"}, {"user", " hi "}, {"assistant", " yes "}};
  EXPECT_EQ(shown(format_chat(messages, ChatTemplate::kChatMl, true)),
            "-!<|im_start|>\n-system\\nbe brief\n-!<|im_end|>\n-\\n\n"
            "-!<|im_start|>\n-user\\n hi \n-!<|im_end|>\n-\\n\n"
            "-!<|im_start|>\n-assistant\\n\n+ yes \n+!<|im_end|>\n-\\n\n");
  EXPECT_EQ(shown(format_chat(messages, ChatTemplate::kLlama2, true)),
            "-!<s>\n-[INST] <<SYS>>\\nbe brief\\n<</SYS>>\\n\\n hi [/INST]\n+ yes \n+!</s>\n");
  EXPECT_EQ(
      shown(format_chat(messages, ChatTemplate::kLlama3, true)),
      "-!<|begin_of_text|>\n"
      "-!<|start_header_id|>\n-system\n-!<|end_header_id|>\n-\\n\\nbe brief\n-!<|eot_id|>\n"
      "-!<|start_header_id|>\n-user\n-!<|end_header_id|>\n-\\n\\nhi\n-!<|eot_id|>\n"
      "-!<|start_header_id|>\n-assistant\n-!<|end_header_id|>\n-\\n\\n\n+yes\n+!<|eot_id|>\n");
  EXPECT_EQ(shown(format_chat(messages, ChatTemplate::kPlain, true)),
            "-System: be brief\\n\n-User:  hi \\n\n-Assistant:\n+  yes \\n\n");
}

TEST(ChatTemplateTest, NoPartIsEmpty) {
  for (const ChatTemplate chat_template : kTemplates) {
    const Document document = format_chat({{"user", ""}, {"assistant", ""}}, chat_template, true);
    for (const DocumentPart& part : document.parts) EXPECT_FALSE(part.text.empty());
  }
}

TEST(ChatTemplateTest, WhatATemplateDoesNotKnowIsRefused) {
  const ChatMessage user = {"user", "u"};
  const ChatMessage system = {"system", "s"};
  for (const ChatTemplate chat_template : kTemplates) {
    expect_data_error({}, chat_template, "the list of messages is empty");
    for (const std::string role : {"", "User", "bot", "human", "assistant ", "\x1b[2J"}) {
      expect_data_error({user, {role, "x"}}, chat_template,
                        "message 2 has the role '" + printable(role) + "'");
    }
  }
  for (const ChatTemplate chat_template : {ChatTemplate::kLlama2, ChatTemplate::kPlain}) {
    expect_data_error({user, {"tool", "x"}}, chat_template, "message 2 has the role 'tool'");
  }
  expect_data_error({user, user}, ChatTemplate::kLlama2, "message 2 has the role user where");
  expect_data_error({system, system}, ChatTemplate::kLlama2, "message 2 has the role system where");
  expect_data_error({user, system}, ChatTemplate::kLlama2, "message 2 has the role system where");
  expect_data_error({{"assistant", "a"}}, ChatTemplate::kLlama2,
                    "message 1 has the role assistant where");
  expect_data_error({system}, ChatTemplate::kLlama2, "message 1 is a system message alone");
}

}  // namespace
}  // namespace pdl
