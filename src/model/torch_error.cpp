#include "pdl/model/torch_error.h"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>
#include <system_error>

#include "pdl/base/unicode.h"

namespace pdl {

std::string torch_message(const std::exception& problem) {
  const auto* torch_problem = dynamic_cast<const c10::Error*>(&problem);
  const std::string text =
      torch_problem != nullptr ? torch_problem->what_without_backtrace() : problem.what();
  constexpr std::string_view kScriptError = "Error: ";
  const size_t script_error = text.rfind(kScriptError);
  const size_t begin = script_error == std::string::npos ? 0 : script_error + kScriptError.size();
  constexpr size_t kMaxBytes = 160;
  return printable(std::string_view(text).substr(begin, text.find('\n', begin) - begin), kMaxBytes);
}

bool is_out_of_memory(const std::exception& problem) {
  // TorchScript's interpreter throws the text alone.
  const auto contains = [text = std::string_view(problem.what())](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  if (const auto* refused = dynamic_cast<const std::system_error*>(&problem)) {
    return refused->code() == std::errc::resource_unavailable_try_again ||
           refused->code() == std::errc::not_enough_memory;
  }
  return dynamic_cast<const c10::OutOfMemoryError*>(&problem) != nullptr ||
         dynamic_cast<const std::bad_alloc*>(&problem) != nullptr ||
         contains("can't allocate memory") || contains("CUDA out of memory");
}

}  // namespace pdl
