// Reads the text of a run.json with load_config_text().
#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/config/load_config.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const auto config =
      accepted<ConfigError>([&] { return load_config_text(text_of(data, size), "run.json"); });
  if (!config) return 0;
  const std::string written = config_to_json(*config);
  const RunConfig again = load_config_text(written, "again");
  require(changed_keys(*config, again).empty(), "a config reads back as it was written");
  require(config_to_json(again) == written, "a config is written the same way again");
  return 0;
}
