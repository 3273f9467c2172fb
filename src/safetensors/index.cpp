#include "pdl/safetensors/index.h"

#include <algorithm>

#include "format_problem.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

constexpr int64_t kMaxIndexBytes = int64_t{1} << 26;

bool is_plain_name(const std::string& file) {
  const auto is_control = [](unsigned char byte) { return byte < 0x20; };
  return !file.empty() && file != "." && file != ".." &&
         file.find_first_of("/\\") == std::string::npos &&
         std::none_of(file.begin(), file.end(), is_control);
}

SafetensorsIndex parse(std::string_view text) {
  const auto blame = JsonBlame::of<FormatProblem>("");
  const JsonValue value = parse_json(text, {.max_depth = 3}, blame);
  ObjectReader root(value, blame);
  const JsonValue& weight_map = root.required("weight_map", JsonValue::Kind::kObject);
  if (weight_map.keys().empty()) root.fail_at("weight_map", "names no tensor");
  const ObjectReader tensors(weight_map, blame, "weight_map");  // each stands once
  const JsonValue* metadata = root.find("metadata");
  if (metadata != nullptr) ObjectReader(*metadata, blame, "metadata");  // the same
  SafetensorsIndex index;
  for (size_t i = 0; i < weight_map.keys().size(); ++i) {
    const std::string& tensor = weight_map.keys()[i];
    const JsonValue& file = weight_map.items()[i];
    if (!file.is_string() || !is_plain_name(file.text())) {
      tensors.fail_at(printable(tensor), "is not the name of a file beside it");
    }
    index.weight_map.emplace(tensor, file.text());
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
