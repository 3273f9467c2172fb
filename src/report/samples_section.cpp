#include <algorithm>
#include <set>

#include "markup.h"
#include "sections.h"

namespace pdl::report {
namespace {

constexpr size_t kMaxPrompts = 8;
constexpr size_t kMaxColumns = 6;
constexpr size_t kMaxBytes = 2000;  // of a text

// A run beside others.
struct Column {
  std::string head;
  const RunData* run;
};

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The end, at most `end`, of the whole characters before it.
size_t character_begin(std::string_view text, size_t end) {
  while (end > 0 && end < text.size() && is_continuation(text[end])) --end;
  return end;
}

std::string_view cut(std::string_view text) {
  return text.substr(0, character_begin(text, std::min(text.size(), kMaxBytes)));
}

bool is_space(char byte) { return byte == ' ' || byte == '\n'; }

// Whether a word cannot go on at `at`.
bool is_word_end(std::string_view text, size_t at) {
  return at == text.size() || is_space(text[at]);
}

// Where the word begins in which the texts differ first; `at` is the first byte that differs.
size_t word_begin(std::string_view text, std::string_view other, size_t at) {
  // Where a word ends in both, it is the next one that differs.
  if (is_word_end(text, at) && is_word_end(other, at)) return at;
  while (at > 0 && !is_space(text[at - 1])) --at;
  return at;
}

// The text, with the first word in which it differs from `other` marked.
std::string marked(std::string_view text, std::string_view other) {
  if (text == other) return escape_lines(text);
  const auto [first, ignored] = std::mismatch(text.begin(), text.end(), other.begin(), other.end());
  const auto differing = static_cast<size_t>(first - text.begin());
  if (differing == text.size()) return escape_lines(text) + "<mark>(ends here)</mark>";
  const size_t begin = word_begin(text, other, differing);
  size_t end = text.find_first_of(" \n", begin + 1);
  if (end == std::string_view::npos) end = text.size();
  return escape_lines(text.substr(0, begin)) + "<mark>" +
         escape_lines(text.substr(begin, end - begin)) + "</mark>" + escape_lines(text.substr(end));
}

const SampleText* sample_of(const RunData& run, int64_t prompt_index) {
  for (const SampleText& sample : run.samples) {
    if (sample.prompt_index == prompt_index && sample.sample == 0) return &sample;
  }
  return nullptr;
}

const RunData* run_with_seed(const RunGroup& group, const std::optional<int64_t>& seed) {
  for (const RunData* run : group.runs) {
    if (run->seed == seed && !run->samples.empty()) return run;
  }
  return nullptr;
}

// A run of each group, all with the same seed and thus the same noise if there are such.
std::vector<Column> columns_of(const PageData& page) {
  std::vector<Column> columns;
  for (const RunData* first : page.groups.front().runs) {
    columns.clear();
    for (const RunGroup& group : page.groups) {
      if (const RunData* run = run_with_seed(group, first->seed)) {
        columns.push_back({group.label, run});
      }
    }
    if (columns.size() == page.groups.size()) return columns;
  }
  columns.clear();
  for (const RunGroup& group : page.groups) {
    for (const RunData* run : group.runs) {
      if (run->samples.empty()) continue;
      columns.push_back({group.label, run});
      break;
    }
  }
  return columns;
}

std::string head_of(const PageData& page, const Column& column) {
  std::string head = column.head;
  if (page.comparison && column.run->seed) head += ", seed " + std::to_string(*column.run->seed);
  return head + ", step " + count(column.run->sample_step);
}

std::string prompt_html(const PageData& page, const std::vector<Column>& columns,
                        int64_t prompt_index) {
  const SampleText* first = nullptr;
  std::string texts;
  for (const Column& column : columns) {
    const SampleText* sample = sample_of(*column.run, prompt_index);
    const bool has_same_prompt =
        first != nullptr && sample != nullptr && sample->prompt == first->prompt;
    std::string text = "<i>no sample</i>";
    if (sample != nullptr) {
      text = has_same_prompt ? marked(cut(sample->text), cut(first->text))
                             : escape_lines(cut(sample->text));
      if (sample->text.size() > kMaxBytes) text += "…";
      if (sample->text.empty()) text = "<i>nothing</i>";
    }
    if (first == nullptr) first = sample;
    texts += "<div>\n<h4>" + escape(head_of(page, column)) + "</h4>\n<p class=\"text\">" + text +
             "</p>\n</div>\n";
  }
  if (first == nullptr) return "";
  const std::string_view prompt = cut(first->prompt);
  return "<h3>Prompt " + std::to_string(prompt_index + 1) + "</h3>\n<p class=\"text\">" +
         escape_lines(prompt) + (first->prompt.size() > prompt.size() ? "…" : "") +
         "</p>\n<div class=\"columns\">\n" + texts + "</div>\n";
}

}  // namespace

std::string samples_section(const PageData& page) {
  std::vector<Column> columns = columns_of(page);
  if (columns.empty()) return "";
  std::string html;
  if (columns.size() > 1) {
    html += paragraph(
        "Samples of runs with the same seed were drawn with the same noise, so that they differ "
        "because the models do. The first word that differs from the first text is marked.");
  }
  if (columns.size() > kMaxColumns) {
    html += paragraph("The first " + std::to_string(kMaxColumns) + " of " +
                      std::to_string(columns.size()) + " are shown.");
    columns.resize(kMaxColumns);
  }
  std::set<int64_t> prompts;
  for (const Column& column : columns) {
    for (const SampleText& sample : column.run->samples) prompts.insert(sample.prompt_index);
  }
  size_t shown = 0;
  for (const int64_t prompt : prompts) {
    if (shown++ == kMaxPrompts) {
      html += paragraph("The first " + std::to_string(kMaxPrompts) + " of " +
                        std::to_string(prompts.size()) + " prompts are shown.");
      break;
    }
    html += prompt_html(page, columns, prompt);
  }
  return section("samples", "Samples", html);
}

}  // namespace pdl::report
