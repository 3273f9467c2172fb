// How the chats of a corpus become text.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pdl/config/run_config.h"
#include "pdl/jinja/template.h"
#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// The templates that this program holds itself; src/corpus/chat/chat_template.h says what they
// write.
enum class ChatTemplate { kChatMl, kLlama2, kLlama3, kPlain };

// The name of a template in run.json.
std::string_view name_of(ChatTemplate chat_template);

// What `chat_template` of a job stands for: one of the built-in templates, or one in Jinja, which
// is a file's or lies beside the tokenizer. "auto" is the tokenizer's, or chatml if it has none.
// Immutable; may be used from several threads at once.
class ChatFormat {
 public:
  // `tokenizer` may be null. Reads the file that options.chat_template names, but does not parse
  // it: a corpus without chats needs no template. Throws ConfigError for a file that cannot be read
  // and for a chat_date that is no day.
  ChatFormat(const TextOptions& options, const Tokenizer* tokenizer);
  ~ChatFormat();
  ChatFormat(ChatFormat&&) noexcept;
  ChatFormat& operator=(ChatFormat&&) noexcept;

  // nullopt: it is a template in Jinja.
  std::optional<ChatTemplate> built_in() const { return built_in_; }
  // For messages: "chatml", or where the template in Jinja is from.
  const std::string& name() const { return name_; }
  // What decides the text of a chat: the template's name or the hash of its text, with the values
  // that it sees of this format.
  const std::string& fingerprint() const { return fingerprint_; }
  // Whether a text is the fingerprint of some format.
  static bool is_fingerprint(std::string_view text);

  // The template in Jinja for a chat with tools or without. Throws ModelError if it cannot be used.
  const jinja::Template& template_for(bool has_tools) const;
  // bos_token and the like, by their names.
  const std::vector<std::pair<std::string, std::string>>& special_tokens() const {
    return special_tokens_;
  }
  // Throws ConfigError if there is none, which `chat_template`, a template that asks for it, needs.
  const jinja::Date& date_for(const jinja::Template& chat_template) const;

 private:
  struct Source;

  void choose_folder(const Tokenizer* tokenizer);
  void choose_file(const std::string& path);

  std::optional<ChatTemplate> built_in_;
  std::string name_;
  std::string fingerprint_;
  std::vector<std::pair<std::string, std::string>> special_tokens_;
  std::optional<jinja::Date> date_;
  std::vector<std::unique_ptr<Source>> sources_;
};

}  // namespace pdl
