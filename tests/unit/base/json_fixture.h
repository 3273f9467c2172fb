// What the tests of JSON share.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/json.h"

namespace pdl {

inline const JsonBlame& blame() {
  static const auto data = JsonBlame::of<DataError>("file 'f' cannot be used: ");
  return data;
}

inline JsonValue parsed(std::string_view text) { return parse_json(text, {}, blame()); }

// The message of the error that `read` throws; "" for none.
inline std::string error_of(const std::function<void()>& read) {
  try {
    read();
    return "";
  } catch (const DataError& problem) {
    return problem.what();
  }
}

}  // namespace pdl
