// The ids of a SentencePiece model as the library gives them since version 0.2.2, worked out in the
// plainest way. The library that the tests are linked with normalises, and encodes unless the model
// is of the kind Unigram, whose sums differ between versions.
#pragma once

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/sentencepiece/sentencepiece_model.h"

namespace pdl {

class SentencePieceReference {
 public:
  explicit SentencePieceReference(const std::string& serialized)
      : model_(parse_sentencepiece_model(serialized)) {
    const auto status = library_.LoadFromSerializedProto(serialized);
    EXPECT_TRUE(status.ok()) << status.ToString();
    for (size_t id = 0; id < model_.pieces.size(); ++id) {
      const SentencePieceModel::Piece& piece = model_.pieces[id];
      if (piece.type == SentencePieceModel::kNormal)
        unknown_score_ = std::min(unknown_score_, piece.score);
      if (piece.type != SentencePieceModel::kNormal &&
          piece.type != SentencePieceModel::kUserDefined) {
        continue;
      }
      longest_ = std::max(longest_, piece.text.size());
      const double bonus = 0.1 * (static_cast<double>(piece.text.size()) - 1);
      const bool is_users = piece.type == SentencePieceModel::kUserDefined;
      pieces_[piece.text] = {static_cast<int32_t>(id),
                             is_users ? static_cast<float>(bonus) : piece.score};
    }
    unknown_score_ -= 10;
  }

  std::vector<int32_t> encode(std::string_view text) const {
    std::vector<int> ids;
    EXPECT_TRUE(library_.Encode(absl::string_view(text.data(), text.size()), &ids).ok());
    if (model_.model_type != SentencePieceModel::kUnigram) return ids;
    return ids_of_path(normalized(text, ids));
  }

 private:
  struct Scored {
    int32_t id;
    float score;
  };
  struct Node {
    float score = 0;
    int32_t id = 0;
    int64_t begin = -1;
  };

  // What the pieces of any segmentation spell.
  std::string normalized(std::string_view text, const std::vector<int>& ids) const {
    std::vector<std::string> pieces;
    EXPECT_TRUE(library_.Encode(absl::string_view(text.data(), text.size()), &pieces).ok());
    std::string spelled;
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (library_.IsByte(ids[i])) {
        spelled += static_cast<char>(std::stoi(pieces[i].substr(3, 2), nullptr, 16));
      } else {
        spelled += pieces[i];
      }
    }
    return spelled;
  }

  // The best segmentation, with float32 sums that begin anew past 100,000.
  std::vector<int32_t> ids_of_path(const std::string& text) const {
    std::vector<Node> nodes(text.size() + 1);
    const auto offer = [&](size_t begin, size_t end, Scored token) {
      const float sum = token.score + nodes[begin].score;
      if (nodes[end].begin < 0 || sum > nodes[end].score)
        nodes[end] = {sum, token.id, static_cast<int64_t>(begin)};
    };
    for (size_t begin = 0; begin < text.size(); begin += utf8_character_size(text[begin])) {
      if (std::abs(nodes[begin].score) > 100'000) {
        const float offset = nodes[begin].score;
        const size_t end = std::min(text.size(), begin + longest_ + 4);
        for (size_t i = begin; i <= end; ++i) nodes[i].score -= offset;
      }
      const size_t character = utf8_character_size(text[begin]);
      bool is_known = false;
      for (size_t size = 1; size <= std::min(longest_, text.size() - begin); ++size) {
        const auto found = pieces_.find(std::string_view(text).substr(begin, size));
        if (found == pieces_.end()) continue;
        offer(begin, begin + size, found->second);
        is_known = is_known || size == character;
      }
      if (!is_known) offer(begin, begin + character, {-1, unknown_score_});
    }
    std::vector<int32_t> ids;
    const auto append_reversed = [&](size_t begin, size_t end) {
      if (model_.byte_fallback) {
        for (size_t i = end; i > begin; --i) {
          char name[8];
          std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned char>(text[i - 1]));
          ids.push_back(library_.PieceToId(name));
        }
      } else if (ids.empty() || ids.back() != library_.unk_id()) {
        ids.push_back(library_.unk_id());
      }
    };
    for (size_t end = text.size(); end > 0; end = static_cast<size_t>(nodes[end].begin)) {
      if (nodes[end].id >= 0) {
        ids.push_back(nodes[end].id);
      } else {
        append_reversed(static_cast<size_t>(nodes[end].begin), end);
      }
    }
    std::reverse(ids.begin(), ids.end());
    return ids;
  }

  SentencePieceModel model_;
  sentencepiece::SentencePieceProcessor library_;
  std::unordered_map<std::string_view, Scored> pieces_;  // the texts lie in the model
  size_t longest_ = 1;
  float unknown_score_ = FLT_MAX;
};

}  // namespace pdl
