#include "pdl/run/eos_ids.h"

#include <set>
#include <string>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// A number or a list of them.
std::vector<int64_t> declared_ids(const fs::path& file) {
  const JsonBlame blame = JsonBlame::of<ModelError>("model '" + file.string() + "': ");
  const JsonValue value = parse_json(read_file<ModelError>("model", file), JsonRules{}, blame);
  ObjectReader root(value, blame);
  const JsonValue* ids = root.find("eos_token_id");
  if (ids == nullptr) return {};
  if (ids->is(JsonValue::Kind::kArray)) return root.integers("eos_token_id", 0, INT32_MAX);
  return {root.integer("eos_token_id", 0, INT32_MAX)};
}

}  // namespace

std::vector<int32_t> eos_ids(const Tokenizer& tokenizer, const fs::path& model_path) {
  std::set<int32_t> ids;
  if (tokenizer.eos_id()) ids.insert(*tokenizer.eos_id());
  const fs::path file = model_path / "generation_config.json";
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    for (const int64_t id : declared_ids(file)) ids.insert(static_cast<int32_t>(id));
  }
  return {ids.begin(), ids.end()};
}

}  // namespace pdl
