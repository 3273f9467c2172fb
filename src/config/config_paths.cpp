#include "config_paths.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <utility>

#include "value_check.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// The path of a config's folder may hold characters that are special to glob(3).
std::string escaped_for_glob(const std::string& path) {
  std::string escaped;
  for (const char c : path) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

struct GlobResult {
  glob_t found{};
  ~GlobResult() { ::globfree(&found); }
};

std::string expand_glob(const fs::path& folder, const std::string& entry,
                        std::vector<std::string>& paths) {
  const std::string pattern =
      entry.starts_with('/') ? entry : escaped_for_glob(folder.string()) + '/' + entry;
  GlobResult result;
  // Sorted below, because the order of glob(3) depends on the locale. GLOB_ERR: a folder that
  // cannot be read must be an error, not a smaller corpus.
  const int status = ::glob(pattern.c_str(), GLOB_NOSORT | GLOB_ERR, nullptr, &result.found);
  if (status == GLOB_NOMATCH) return shown(entry) + " matches no file";
  if (status != 0) {
    return shown(entry) + " cannot be searched: a folder of it is missing or cannot be read";
  }
  std::vector<std::string> matches;
  for (size_t i = 0; i < result.found.gl_pathc; ++i) {
    matches.push_back(resolve_path(folder, result.found.gl_pathv[i]));
  }
  std::sort(matches.begin(), matches.end());
  paths.insert(paths.end(), matches.begin(), matches.end());
  return "";
}

}  // namespace

std::string resolve_path(const fs::path& folder, const std::string& text) {
  if (text.empty()) return "";
  std::string path = (folder / text).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string expand_paths(const fs::path& folder, const KeyRules& rules,
                         const std::vector<std::string>& entries, std::vector<std::string>& paths) {
  for (const std::string& entry : entries) {
    if (is_word(rules, entry)) {
      paths.push_back(entry);
      continue;
    }
    const std::string path = resolve_path(folder, entry);
    std::error_code error;
    // A file may be called data[1].txt, and config.json names files that a glob has found.
    if (entry.find_first_of("*?[") == std::string::npos || fs::exists(path, error)) {
      paths.push_back(path);
      continue;
    }
    std::string problem = expand_glob(folder, entry, paths);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string repeated_file(const KeyRules& rules, const std::vector<std::string>& paths) {
  std::map<std::pair<dev_t, ino_t>, int64_t> times;
  const auto count = [&](const std::string& path) -> int64_t* {
    struct stat status {};
    if (is_word(rules, path) || ::stat(path.c_str(), &status) != 0) return nullptr;
    return &times[{status.st_dev, status.st_ino}];
  };
  for (const std::string& path : paths) {
    if (int64_t* number = count(path)) ++*number;
  }
  const auto is_repeated = [](const auto& file) { return file.second > 1; };
  const auto others = std::count_if(times.begin(), times.end(), is_repeated) - 1;
  for (const std::string& path : paths) {
    const int64_t* number = count(path);
    if (number == nullptr || *number < 2) continue;
    const std::string often = *number == 2 ? "twice" : std::to_string(*number) + " times";
    std::string message = shown(path) + " is given " + often + " and counts " + often;
    if (others == 1) message += "; another file is repeated, too";
    if (others > 1) message += "; " + std::to_string(others) + " other files are repeated, too";
    return message;
  }
  return "";
}

}  // namespace pdl
