#include "pdl/model/torch_error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <new>
#include <string_view>
#include <system_error>

#include "pdl/base/unicode.h"

namespace pdl {
namespace {

// The text must be searched where the type is lost: TorchScript's interpreter keeps the text alone,
// and of CUDA's errors only those of the allocator have a type.
bool says_out_of_memory(std::string_view message) {
  constexpr std::array<std::string_view, 4> kTexts{"can't allocate memory", "CUDA out of memory",
                                                   "CUDA error: out of memory",
                                                   "CUBLAS_STATUS_ALLOC_FAILED"};
  return std::ranges::any_of(
      kTexts, [&](std::string_view text) { return message.find(text) != std::string_view::npos; });
}

}  // namespace

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
  if (const auto* refused = dynamic_cast<const std::system_error*>(&problem)) {
    return refused->code() == std::errc::resource_unavailable_try_again ||
           refused->code() == std::errc::not_enough_memory;
  }
  return dynamic_cast<const c10::OutOfMemoryError*>(&problem) != nullptr ||
         dynamic_cast<const std::bad_alloc*>(&problem) != nullptr ||
         says_out_of_memory(problem.what());
}

}  // namespace pdl
