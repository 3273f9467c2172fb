#include "pdl/corpus/documents.h"

#include <string>

#include "pdl/base/log.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using Visitor = std::function<void(std::string_view text)>;

void visit_document(std::string_view text, DocumentCounts& counts, const Visitor& visit) {
  if (is_white_space(text)) {
    ++counts.empty_documents;
    return;
  }
  ++counts.documents;
  visit(text);
}

// Text after the last \n is a line even if it is empty.
template <class LineVisitor>
void for_each_line(std::string_view text, LineVisitor visit) {
  while (true) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    visit(line);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void split_lines(std::string_view text, DocumentCounts& counts, const Visitor& visit) {
  if (text.ends_with('\n')) text.remove_suffix(1);  // a final newline ends a line and begins none
  for_each_line(text, [&](std::string_view line) { visit_document(line, counts, visit); });
}

void split_paragraphs(std::string_view text, DocumentCounts& counts, const Visitor& visit) {
  std::string paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) visit_document(paragraph, counts, visit);
    paragraph.clear();
  };
  for_each_line(text, [&](std::string_view line) {
    if (is_white_space(line)) {
      end_paragraph();
      return;
    }
    if (!paragraph.empty()) paragraph += '\n';
    paragraph += line;
  });
  end_paragraph();
}

}  // namespace

void log_empty_documents(const DocumentCounts& counts) {
  if (counts.empty_documents == 0) return;
  log_info(std::to_string(counts.empty_documents) + " of " +
           std::to_string(counts.documents + counts.empty_documents) +
           " documents hold nothing but white space and are skipped");
}

void split_documents(std::string_view text, TextDocument document, DocumentCounts& counts,
                     const Visitor& visit) {
  switch (document) {
    case TextDocument::kFile:
      visit_document(text, counts, visit);
      break;
    case TextDocument::kLine:
      split_lines(text, counts, visit);
      break;
    case TextDocument::kParagraph:
      split_paragraphs(text, counts, visit);
      break;
  }
}

}  // namespace pdl
