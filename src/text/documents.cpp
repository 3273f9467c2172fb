#include "pdl/text/documents.h"

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
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

// Calls visit(line) for each line without its ending; text after the last \n is a line even if it
// is empty.
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
  if (text.ends_with('\n')) text.remove_suffix(1);  // a final newline ends a line, it begins none
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

std::string read_text(const std::string& file) {
  std::string text = read_file<DataError>("text file", file);
  if (text.empty()) throw DataError("text file '" + file + "' is empty");
  const size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string::npos) {
    throw DataError("text file '" + file + "' is not UTF-8 at byte " + std::to_string(invalid) +
                    "; convert it to UTF-8");
  }
  return text;
}

}  // namespace

void split_documents(std::string_view text, TextDocument document, DocumentCounts& counts,
                     const Visitor& visit) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
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

DocumentCounts for_each_document(const std::vector<std::string>& files, TextDocument document,
                                 const Visitor& visit, std::string* corpus_sha256) {
  DocumentCounts counts;
  Sha256 corpus_hash;
  for (const std::string& file : files) {
    const std::string text = read_text(file);
    if (corpus_sha256 != nullptr) corpus_hash.update(sha256(text) + "\n");
    split_documents(text, document, counts, visit);
  }
  if (corpus_sha256 != nullptr) *corpus_sha256 = corpus_hash.finish();
  return counts;
}

}  // namespace pdl
