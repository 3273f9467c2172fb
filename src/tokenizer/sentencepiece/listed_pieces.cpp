#include "listed_pieces.h"

#include <algorithm>

namespace pdl {

bool ListedPieces::fits(const SentencePieceModel& model) {
  return model.model_type == SentencePieceModel::kWord ||
         model.model_type == SentencePieceModel::kChar;
}

ListedPieces::ListedPieces(const SentencePieceModel& model)
    : user_defined_(user_defined_pieces(model)),
      escape_whitespaces_(model.escape_whitespaces),
      cuts_at_characters_(model.model_type == SentencePieceModel::kChar),
      byte_ids_(find_byte_ids(model)) {
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    if (piece.type == SentencePieceModel::kUnknown) unknown_id_ = static_cast<int32_t>(id);
    if (piece.type == SentencePieceModel::kNormal ||
        piece.type == SentencePieceModel::kUserDefined) {
      ids_.emplace(piece.text, static_cast<int32_t>(id));
    }
  }
}

size_t ListedPieces::size_of_first(std::string_view text) const {
  if (!cuts_at_characters_) return std::min(text.find(kBlankSign, 1), text.size());
  size_t size = 0;
  user_defined_.find_prefixes(text, [&](size_t num_bytes, int32_t) { size = num_bytes; });
  return size > 0 ? size : std::min(utf8_character_size(text[0]), text.size());
}

void ListedPieces::encode(std::string_view normalized, std::vector<int32_t>& ids) const {
  std::string signs;
  for (const char byte : normalized) {
    if (byte == ' ' && escape_whitespaces_) {
      signs += kBlankSign;
    } else {
      signs += byte;
    }
  }
  bool after_unknown = false;
  for (std::string_view rest = signs; !rest.empty();) {
    const std::string_view first = rest.substr(0, size_of_first(rest));
    rest.remove_prefix(first.size());
    const auto found = ids_.find(std::string(first));
    if (found != ids_.end()) {
      ids.push_back(found->second);
    } else if (byte_ids_) {
      for (const char byte : first) ids.push_back((*byte_ids_)[static_cast<unsigned char>(byte)]);
    } else if (!after_unknown) {
      ids.push_back(unknown_id_);
    }
    after_unknown = found == ids_.end();
  }
}

}  // namespace pdl
