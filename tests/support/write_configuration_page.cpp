// Writes docs/configuration.md: write_configuration_page FILE.
#include <exception>
#include <iostream>

#include "pdl/base/file.h"
#include "support/configuration_page.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_configuration_page FILE\n";
    return 2;
  }
  try {
    pdl::write_file_durably(argv[1], pdl::configuration_page());
  } catch (const std::exception& problem) {
    std::cerr << "error: " << problem.what() << '\n';
    return 1;
  }
}
