#include <exception>

#include "cli/app.h"
#include "cli/report_error.h"

int main(int argc, char** argv) {
  try {
    return pdl::run_command_line(argc, argv);
  } catch (...) {
    return pdl::report_error(std::current_exception());
  }
}
