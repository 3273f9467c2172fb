// Text files to documents.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// How many documents a corpus has. Those of white space alone are counted apart and skipped.
struct DocumentCounts {
  int64_t documents = 0;
  int64_t empty_documents = 0;
};

// Calls visit(text) for each document of UTF-8 `text`, a file's whole content, in order, and adds
// to `counts`. A byte order mark is dropped.
//   kFile       the rest as it is
//   kLine       each line without its \n or \r\n
//   kParagraph  runs of lines that hold more than white space, joined by \n
void split_documents(std::string_view text, TextDocument document, DocumentCounts& counts,
                     const std::function<void(std::string_view text)>& visit);

// Calls visit(text) for each document of `.txt` files, in the order given. `corpus_sha256`, if not
// null, receives the SHA-256 of the lines "<SHA-256 of the file>\n", as `sha256sum FILES | cut
// -c1-64 | sha256sum` prints it. Throws DataError with file and byte for a file that is missing,
// unreadable, empty or not UTF-8.
DocumentCounts for_each_document(const std::vector<std::string>& files, TextDocument document,
                                 const std::function<void(std::string_view text)>& visit,
                                 std::string* corpus_sha256 = nullptr);

}  // namespace pdl
