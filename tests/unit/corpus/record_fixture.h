// Parses records of JSON Lines and shows what became of them.
#pragma once

#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/corpus/jsonl.h"

namespace pdl {

inline const RecordPlace kPlace = {"data.jsonl", 7};

inline Document parse(std::string_view line, const TextOptions& options = {}) {
  return parse_record(line, options, ChatFormat(options, nullptr), kPlace);
}

inline std::string shown(const Document& document) {
  std::string text = document.is_chat ? "chat\n" : "";
  for (const DocumentPart& part : document.parts) {
    text += (part.trained ? "+" : "-") + std::string(part.is_control ? "!" : "") + part.text + "\n";
  }
  return text;
}

inline std::string error_of(std::string_view line, const TextOptions& options = {}) {
  try {
    const Document document = parse(line, options);
    return "no error: " + shown(document);
  } catch (const DataError& problem) {
    return problem.what();
  }
}

}  // namespace pdl
