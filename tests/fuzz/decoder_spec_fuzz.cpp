// config.json of a Hugging Face folder.
#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/model/families/read_decoder_spec.h"

namespace {

bool is_positive(const std::vector<pdl::TensorSpec>& tensors) {
  for (const pdl::TensorSpec& tensor : tensors) {
    for (const int64_t size : tensor.shape) {
      if (size < 1) return false;
    }
  }
  return !tensors.empty() && !tensors.front().joins_previous;
}

bool fits(const pdl::DecoderSpec& spec) {
  for (const pdl::LayerSpec& layer : spec.layers) {
    const bool has_rotary = layer.rotary < static_cast<int>(spec.rotary.size());
    if (!has_rotary || layer.rotary < pdl::LayerSpec::kNoRotary || layer.window < 0) return false;
  }
  for (const pdl::RotarySpec& rotary : spec.rotary) {
    const bool is_even = rotary.dims > 0 && rotary.dims % 2 == 0;
    if (!is_even || rotary.dims > spec.head_dim || !(rotary.theta > 0)) return false;
  }
  return spec.num_heads % spec.num_kv_heads == 0;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::optional<FamilyConfig> config =
      accepted<ModelError>([&] { return read_decoder_spec(text_of(data, size), "folder"); });
  if (!config) return 0;
  const DecoderSpec& spec = config->spec;
  require(fits(spec), "layers, heads and rotary positions fit together");
  require(!spec.padding_id || (*spec.padding_id >= 0 && *spec.padding_id < spec.vocab_size),
          "the padding id is in the vocabulary");
  require(is_positive(list_tensors(spec)) && is_positive(list_head_tensors(spec)),
          "every tensor has elements");
  return 0;
}
