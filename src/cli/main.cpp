#include <cstdio>
#include <cstdlib>

#include "cli/app.h"

int main(int argc, char** argv) {
  const int exit_code = pdl::run_program(argc, argv);
  std::fflush(nullptr);
  // Taking down LibTorch's tables takes 60 ms. Without that no static object ends, and tools that
  // write at exit, such as gcov, write nothing.
  std::_Exit(exit_code);
}
