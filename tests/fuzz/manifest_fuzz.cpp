// The MANIFEST.json of a checkpoint.
#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/checkpoint/records/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string_view text = text_of(data, size);
  const auto manifest = accepted<CheckpointError>([&] { return parse_manifest(text, "manifest"); });
  if (!manifest) return 0;
  require(to_json(*manifest) == text, "only what is written is accepted");
  return 0;
}
