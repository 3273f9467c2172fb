#include "chat_template.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr std::string_view kSystem = "system";
constexpr std::string_view kUser = "user";
constexpr std::string_view kAssistant = "assistant";
constexpr std::string_view kTool = "tool";

[[noreturn]] void fail(size_t index, const std::string& problem) {
  throw DataError("message " + std::to_string(index + 1) + " " + problem);
}

bool is_known(std::string_view role) {
  return role == kSystem || role == kUser || role == kAssistant;
}

[[noreturn]] void fail_unknown_role(size_t index, const std::string& role) {
  fail(index, "has the role '" + printable(role) +
                  "', which this chat_template does not know; use system, user and assistant");
}

class DocumentBuilder {
 public:
  explicit DocumentBuilder(bool completion_only_loss) : completion_only_(completion_only_loss) {
    document_.is_chat = true;
  }

  // What is added from now on belongs to a turn that is trained or not.
  void begin_turn(bool trained) { trained_turn_ = trained; }

  void text(std::string text, bool is_response) {
    add({.text = std::move(text), .is_response = is_response});
  }
  void control(std::string_view written, bool is_response) {
    add({.text = std::string(written), .is_control = true, .is_response = is_response});
  }
  Document take() { return std::move(document_); }

 private:
  void add(DocumentPart part) {
    if (part.text.empty()) return;
    part.trained = trained_turn_ && (part.is_response || !completion_only_);
    document_.parts.push_back(std::move(part));
  }

  bool completion_only_;
  bool trained_turn_ = true;
  Document document_;
};

void add_chatml(const std::vector<ChatMessage>& messages, DocumentBuilder& document) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto& [role, content, trained_turn] = messages[i];
    if (!is_known(role) && role != kTool) fail_unknown_role(i, role);
    const bool trained = role == kAssistant;
    document.begin_turn(trained_turn);
    document.control("<|im_start|>", false);
    if (trained) {
      document.text(role + "\n", false);
      document.text(content, true);
    } else {
      document.text(role + "\n" + content, false);
    }
    document.control("<|im_end|>", trained);
    document.text("\n", false);
  }
}

// After the system message roles alternate, and the user begins.
void check_llama2_roles(const std::vector<ChatMessage>& messages) {
  const size_t first = messages.front().role == kSystem ? 1 : 0;
  if (first == messages.size()) {
    fail(0, "is a system message alone, which chat_template llama2 leaves out; add a user message");
  }
  for (size_t i = first; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    const std::string_view expected = (i - first) % 2 == 0 ? kUser : kAssistant;
    if (!is_known(role)) fail_unknown_role(i, role);
    if (role != expected) {
      fail(i, "has the role " + role + " where chat_template llama2 needs " +
                  std::string(expected) +
                  ": after a first system message, user and assistant must alternate");
    }
  }
}

void add_llama2(const std::vector<ChatMessage>& messages, DocumentBuilder& document) {
  check_llama2_roles(messages);
  std::string system;
  bool trained_system = true;
  for (const auto& [role, content, trained] : messages) {
    if (role == kSystem) {
      system = "<<SYS>>\n" + content + "\n<</SYS>>\n\n";
      trained_system = trained;
      continue;
    }
    document.begin_turn(std::exchange(trained_system, true) && trained);
    if (role == kUser) {
      const std::string whole = std::exchange(system, "") + content;
      document.control("<s>", false);
      document.text("[INST] " + std::string(without_outer_white_space(whole)) + " [/INST]", false);
    } else {
      document.text(" " + std::string(without_outer_white_space(content)) + " ", true);
      document.control("</s>", true);
    }
  }
}

void add_llama3(const std::vector<ChatMessage>& messages, DocumentBuilder& document) {
  document.control("<|begin_of_text|>", false);
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    if (!is_known(role) && role != kTool) fail_unknown_role(i, role);
    const std::string content(without_outer_white_space(messages[i].content));
    const bool trained = role == kAssistant;
    document.begin_turn(messages[i].trained);
    document.control("<|start_header_id|>", false);
    document.text(role, false);
    document.control("<|end_header_id|>", false);
    if (trained) {
      document.text("\n\n", false);
      document.text(content, true);
    } else {
      document.text("\n\n" + content, false);
    }
    document.control("<|eot_id|>", trained);
  }
}

void add_plain(const std::vector<ChatMessage>& messages, DocumentBuilder& document) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto& [role, content, trained] = messages[i];
    document.begin_turn(trained);
    if (role == kSystem) {
      document.text("System: " + content + "\n", false);
    } else if (role == kUser) {
      document.text("User: " + content + "\n", false);
    } else if (role == kAssistant) {
      document.text("Assistant:", false);
      document.text(" " + content + "\n", true);
    } else {
      fail_unknown_role(i, role);
    }
  }
}

void add_generation_prompt(ChatTemplate chat_template, DocumentBuilder& document) {
  const std::string role(kAssistant);
  if (chat_template == ChatTemplate::kChatMl) {
    document.control("<|im_start|>", false);
    document.text(role + "\n", false);
  } else if (chat_template == ChatTemplate::kLlama3) {
    document.control("<|start_header_id|>", false);
    document.text(role, false);
    document.control("<|end_header_id|>", false);
    document.text("\n\n", false);
  } else if (chat_template == ChatTemplate::kPlain) {
    document.text("Assistant:", false);
  }
}

}  // namespace

Document format_chat(const std::vector<ChatMessage>& messages, ChatTemplate chat_template,
                     bool completion_only_loss, bool prompts_answer) {
  if (messages.empty()) throw DataError("the list of messages is empty");
  DocumentBuilder document(completion_only_loss);
  switch (chat_template) {
    case ChatTemplate::kChatMl:
      add_chatml(messages, document);
      break;
    case ChatTemplate::kLlama2:
      add_llama2(messages, document);
      break;
    case ChatTemplate::kLlama3:
      add_llama3(messages, document);
      break;
    case ChatTemplate::kPlain:
      add_plain(messages, document);
      break;
  }
  if (prompts_answer) add_generation_prompt(chat_template, document);
  return document.take();
}

}  // namespace pdl
