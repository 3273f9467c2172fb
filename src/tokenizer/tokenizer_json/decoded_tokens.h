// What the ids of a tokenizer.json are before its decoder makes a text of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "added_tokens.h"
#include "model.h"

namespace pdl::tokenizer_json {

// Immutable.
class DecodedTokens {
 public:
  DecodedTokens() = default;  // of no ids
  // `pieces` by id: those of the vocabulary and the contents of `added`. It must outlive the
  // object.
  DecodedTokens(const std::vector<std::string>& pieces, const Vocabulary& vocabulary,
                const std::vector<AddedToken>& added);

  // Returns what the `tokenizers` package decodes for `id`, which must be an index of `pieces`;
  // nullopt if it leaves the id out.
  std::optional<std::string_view> find(int32_t id) const;

 private:
  std::string_view token(int32_t id) const;

  const std::vector<std::string>* pieces_ = nullptr;
  // Added tokens whose normal form is another. Since its version 0.23 the package decodes that.
  std::unordered_map<int32_t, std::string> normalized_;
  std::vector<bool> is_left_out_;
};

}  // namespace pdl::tokenizer_json
