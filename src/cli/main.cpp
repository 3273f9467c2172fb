#include <malloc.h>

#include <exception>
#include <limits>

#include "cli/app.h"
#include "cli/report_error.h"

namespace {

// Tensors of every size come from the heap and stay there. By default each large one is mapped anew
// and given back, and its pages are faulted in and zeroed in every step.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TRIM_THRESHOLD, -1);  // never
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  try {
    return pdl::run_command_line(argc, argv);
  } catch (...) {
    return pdl::report_error(std::current_exception());
  }
}
