// Splits text into documents.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "pdl/config/run_config.h"

namespace pdl {

// Counts the documents of a corpus. Those of white space alone are counted separately and skipped.
struct DocumentCounts {
  int64_t documents = 0;
  int64_t empty_documents = 0;
};

// Logs how many documents were skipped, if any was.
void log_empty_documents(const DocumentCounts& counts);

// Calls visit(text) for each document of UTF-8 `text` in order, and adds to `counts`. `text` is a
// file's content without its byte order mark, or a part of it made of whole documents.
//   kFile       all of it
//   kLine       each line without its \n or \r\n
//   kParagraph  runs of lines that hold more than white space, joined by \n
void split_documents(std::string_view text, TextDocument document, DocumentCounts& counts,
                     const std::function<void(std::string_view text)>& visit);

}  // namespace pdl
