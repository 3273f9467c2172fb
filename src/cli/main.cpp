#include <cstdio>
#include <cstdlib>

#include "cli/app.h"

int main(int argc, char** argv) {
  const int exit_code = pdl::run_program(argc, argv);
  std::fflush(nullptr);
  // Taking down LibTorch's tables would cost as much time as a small job.
  std::_Exit(exit_code);
}
