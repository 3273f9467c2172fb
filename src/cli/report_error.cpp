#include "cli/report_error.h"

#include <c10/util/Exception.h>

#include <cstdio>
#include <new>
#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/model/torch_error.h"

namespace pdl {
namespace {

int report(ExitCode code, const std::string& message) {
  show_progress("");
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return static_cast<int>(code);
}

int report_out_of_memory(const std::exception& problem) {
  return report(ExitCode::kOutOfMemory, "out of memory: " + torch_message(problem) +
                                            "; lower per_device_train_batch_size (and raise "
                                            "gradient_accumulation_steps) or max_length");
}

// LibTorch's CPU allocator throws a plain c10::Error.
bool is_out_of_memory(const c10::Error& problem) {
  return std::string_view(problem.what_without_backtrace()).find("can't allocate memory") !=
         std::string_view::npos;
}

}  // namespace

int report_error(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& problem) {
    return report(problem.code(), problem.what());
  } catch (const c10::OutOfMemoryError& problem) {
    return report_out_of_memory(problem);
  } catch (const c10::Error& problem) {
    if (is_out_of_memory(problem)) return report_out_of_memory(problem);
    return report(ExitCode::kInternal, "LibTorch: " + torch_message(problem));
  } catch (const std::bad_alloc& problem) {
    return report_out_of_memory(problem);
  } catch (const std::exception& problem) {
    return report(ExitCode::kInternal, "unexpected: " + torch_message(problem));
  } catch (...) {
    return report(ExitCode::kInternal, "unexpected: something that is no std::exception");
  }
}

}  // namespace pdl
