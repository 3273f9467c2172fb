#include "pdl/corpus/chat_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr std::array<std::pair<std::string_view, ChatTemplate>, 4> kBuiltIn = {
    {{"chatml", ChatTemplate::kChatMl},
     {"llama2", ChatTemplate::kLlama2},
     {"llama3", ChatTemplate::kLlama3},
     {"plain", ChatTemplate::kPlain}}};

constexpr int64_t kMaxTemplateBytes = int64_t{4} << 20;
constexpr std::string_view kOfJinja = "jinja ";  // begins the fingerprint of a template in Jinja
constexpr std::string_view kDefault = "default";
constexpr std::string_view kToolUse = "tool_use";

// A template that does not name the function in its text cannot call it.
constexpr std::string_view kDateFunction = "strftime_now";

std::optional<jinja::Date> parse_date(const std::string& text) {
  if (text.empty()) return std::nullopt;
  jinja::Date date;
  const auto read = [&](size_t begin, size_t size, int& number) {
    const char* end = text.data() + begin + size;
    return std::from_chars(text.data() + begin, end, number).ptr == end;
  };
  const bool is_written = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                          read(0, 4, date.year) && read(5, 2, date.month) && read(8, 2, date.day);
  const std::chrono::year_month_day day{std::chrono::year{date.year},
                                        std::chrono::month{static_cast<unsigned>(date.month)},
                                        std::chrono::day{static_cast<unsigned>(date.day)}};
  if (!is_written || date.year < 1 || !day.ok()) {
    throw ConfigError("chat_date: \"" + printable(text) + "\" is no day; give one as YYYY-MM-DD");
  }
  return date;
}

}  // namespace

std::string_view name_of(ChatTemplate chat_template) {
  return kBuiltIn.at(static_cast<size_t>(chat_template)).first;
}

// A template in Jinja, parsed when a chat first needs it.
struct ChatFormat::Source {
  std::string use;   // "default", "tool_use" or another, as the tokenizer's files call it
  std::string name;  // for messages
  std::string text;
  std::once_flag once = {};
  std::optional<jinja::Template> parsed = {};
};

ChatFormat::ChatFormat(const TextOptions& options, const Tokenizer* tokenizer)
    : date_(parse_date(options.chat_date)) {
  const auto found = std::find_if(kBuiltIn.begin(), kBuiltIn.end(), [&](const auto& entry) {
    return entry.first == options.chat_template;
  });
  if (found != kBuiltIn.end()) {
    built_in_ = found->second;
  } else if (options.chat_template == "auto") {
    choose_folder(tokenizer);
  } else {
    choose_file(options.chat_template);
  }
  if (built_in_) {
    name_ = name_of(*built_in_);
    fingerprint_ = name_;
    return;
  }
  if (tokenizer != nullptr) special_tokens_ = tokenizer->chat_files().special_tokens;
  const bool may_use_date = std::any_of(sources_.begin(), sources_.end(), [](const auto& source) {
    return source->text.find(kDateFunction) != std::string::npos;
  });
  nlohmann::json key = {{"special_tokens", special_tokens_},
                        {"date", may_use_date ? options.chat_date : ""}};
  for (const auto& source : sources_) key["templates"].push_back({source->use, source->text});
  fingerprint_ = std::string(kOfJinja) + sha256(key.dump());
}

bool ChatFormat::is_fingerprint(std::string_view text) {
  return text.starts_with(kOfJinja) ||
         std::any_of(kBuiltIn.begin(), kBuiltIn.end(),
                     [&](const auto& entry) { return entry.first == text; });
}

ChatFormat::~ChatFormat() = default;
ChatFormat::ChatFormat(ChatFormat&&) noexcept = default;
ChatFormat& ChatFormat::operator=(ChatFormat&&) noexcept = default;

void ChatFormat::choose_folder(const Tokenizer* tokenizer) {
  if (tokenizer == nullptr || tokenizer->chat_files().templates.empty()) {
    built_in_ = ChatTemplate::kChatMl;
    return;
  }
  for (const ChatFiles::Template& one : tokenizer->chat_files().templates) {
    auto source = std::make_unique<Source>();
    source->use = one.use;
    source->name = one.place;
    source->text = one.text;
    sources_.push_back(std::move(source));
  }
  name_ = sources_.front()->name;
}

void ChatFormat::choose_file(const std::string& path) {
  auto source = std::make_unique<Source>();
  source->use = kDefault;
  source->name = path;
  source->text = read_file<ConfigError>("chat_template", path, kMaxTemplateBytes);
  sources_.push_back(std::move(source));
  name_ = path;
}

const jinja::Template& ChatFormat::template_for(bool has_tools) const {
  const auto find = [&](std::string_view use) {
    return std::find_if(sources_.begin(), sources_.end(),
                        [&](const auto& source) { return source->use == use; });
  };
  auto found = has_tools ? find(kToolUse) : sources_.end();
  if (found == sources_.end()) found = find(kDefault);
  if (found == sources_.end()) {
    throw ModelError(
        "chat_template \"auto\": of the templates beside the tokenizer none is "
        "called default; name a .jinja file");
  }
  Source& source = **found;
  std::call_once(source.once, [&] { source.parsed.emplace(source.text, source.name); });
  return *source.parsed;
}

const jinja::Date& ChatFormat::date_for(const jinja::Template& chat_template) const {
  static const jinja::Date kUnused;
  if (date_) return *date_;
  if (!chat_template.uses_date()) return kUnused;
  throw ConfigError("chat template '" + printable(chat_template.name()) +
                    "' writes the date; set chat_date to a day, YYYY-MM-DD");
}

}  // namespace pdl
