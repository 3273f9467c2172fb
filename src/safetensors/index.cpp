#include "pdl/safetensors/index.h"

#include <algorithm>

#include "json_text.h"
#include "pdl/base/file.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using nlohmann::json;

constexpr int64_t kMaxIndexBytes = int64_t{1} << 26;

bool is_plain_name(const std::string& file) {
  const auto is_control = [](unsigned char byte) { return byte < 0x20; };
  return !file.empty() && file != "." && file != ".." &&
         file.find_first_of("/\\") == std::string::npos &&
         std::none_of(file.begin(), file.end(), is_control);
}

SafetensorsIndex parse(std::string_view text) {
  const json object = parse_json_object(text, "it", /*max_depth=*/3);
  const auto weight_map = object.find("weight_map");
  if (weight_map == object.end() || !weight_map->is_object() || weight_map->empty()) {
    throw FormatProblem("it has no \"weight_map\" that names a tensor");
  }
  SafetensorsIndex index;
  for (const auto& [tensor, file] : weight_map->items()) {
    if (!file.is_string() || !is_plain_name(file.get_ref<const std::string&>())) {
      throw FormatProblem("its \"weight_map\" has " + printable(file.dump()) + " for '" +
                          printable(tensor) + "', which is not the name of a file beside it");
    }
    index.weight_map.emplace(tensor, file.get<std::string>());
  }
  return index;
}

}  // namespace

std::string try_parse_safetensors_index(std::string_view text, SafetensorsIndex& index) {
  try {
    index = parse(text);
  } catch (const FormatProblem& problem) {
    return std::string("is not a valid index of safetensors files: ") + problem.what();
  }
  return "";
}

std::string try_read_safetensors_index(const std::filesystem::path& path, SafetensorsIndex& index) {
  std::string text;
  const std::string problem = try_read_file(path, text, kMaxIndexBytes);
  return problem.empty() ? try_parse_safetensors_index(text, index) : problem;
}

}  // namespace pdl
