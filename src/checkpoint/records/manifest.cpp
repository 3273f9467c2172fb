#include "pdl/checkpoint/records/manifest.h"

#include <nlohmann/json.hpp>

#include "pdl/base/error.h"

namespace pdl {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "pdl-checkpoint";
constexpr int kVersion = 2;

// Throws for a number with a fraction or an exponent and for one of more than 64 bits, which get()
// would cast. One of 64 bits becomes negative, and is another text then.
int64_t integer(const json& value) { return value.get_ref<const json::number_integer_t&>(); }

}  // namespace

std::string to_json(const Manifest& manifest) {
  json files = json::object();
  for (const auto& [name, digest] : manifest.files)
    files[name] = {{"size", digest.size}, {"sha256", digest.sha256}};
  const json root = {
      {"format", kFormat}, {"version", kVersion}, {"step", manifest.step}, {"files", files}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Manifest parse_manifest(std::string_view text, const std::string& name) {
  Manifest manifest;
  try {
    const json root = json::parse(text);
    manifest.step = integer(root.at("step"));
    for (const auto& [file, digest] : root.at("files").items()) {
      manifest.files[file] = {integer(digest.at("size")), digest.at("sha256").get<std::string>()};
    }
  } catch (const json::exception&) {
    manifest = {};  // whose text is another
  }
  if (to_json(manifest) != text) {
    throw CheckpointError("'" + name +
                          "' is not a manifest as this version of pdl-train writes it");
  }
  return manifest;
}

}  // namespace pdl
