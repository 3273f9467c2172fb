// Runs a fuzz target, without libFuzzer, on every file of the folders that are its arguments.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <vector>

#include "fuzz_target.h"

namespace {

std::vector<std::filesystem::path> files_of(const char* folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void run(const std::filesystem::path& file) {
  const std::string content = pdl::file_content(file);
  // A buffer of exactly the input's size, so that a sanitizer sees each access past its end.
  const std::vector<uint8_t> input(content.begin(), content.end());
  std::printf("%s\n", file.c_str());
  std::fflush(stdout);  // so that the last name is that of the input that ends the process
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) try {
  size_t num_files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const std::filesystem::path& file : files_of(argv[i])) {
      run(file);
      ++num_files;
    }
  }
  std::printf("%zu inputs\n", num_files);
  return num_files > 0 ? 0 : 1;
} catch (const std::exception& problem) {
  std::fprintf(stderr, "error: %s\n", problem.what());
  return 1;
}
