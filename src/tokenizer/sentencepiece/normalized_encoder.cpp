#include "normalized_encoder.h"

#include "pdl/base/error.h"

namespace pdl {
namespace {

void check(const sentencepiece::util::Status& status) {
  if (!status.ok()) throw ModelError("the SentencePiece library: " + status.ToString());
}

// Fields appended to a message override earlier ones: normalizer_spec of sentencepiece_model.proto,
// with an empty precompiled_charsmap, no add_dummy_prefix and no remove_extra_whitespaces.
constexpr char kNormalizerSpec[] = {3 << 3 | 2, 6, 2 << 3 | 2, 0, 3 << 3, 0, 4 << 3, 0};

}  // namespace

NormalizedEncoder::NormalizedEncoder(const std::string& serialized) {
  check(processor_.LoadFromSerializedProto(serialized +
                                           std::string(kNormalizerSpec, sizeof kNormalizerSpec)));
}

void NormalizedEncoder::encode(std::string_view normalized, std::vector<int32_t>& ids) const {
  std::vector<int> encoded;
  check(processor_.Encode(absl::string_view(normalized.data(), normalized.size()), &encoded));
  ids.insert(ids.end(), encoded.begin(), encoded.end());
}

}  // namespace pdl
