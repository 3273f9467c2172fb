#include "model.h"

#include "pdl/base/unicode.h"

namespace pdl::tokenizer_json {

// Files of 2020 do not name the type; only BPE has merges, and only Unigram a list for a
// vocabulary.
std::unique_ptr<Model> read_model(const JsonValue& value, const JsonBlame& blame,
                                  Alphabet alphabet) {
  ObjectReader reader(value, blame, "model");
  std::string type = reader.string_or_empty("type");
  if (type.empty() && reader.find("merges") != nullptr) type = "BPE";
  const JsonValue* vocab = reader.find("vocab");
  if (type.empty() && vocab != nullptr && vocab->is(JsonValue::Kind::kArray)) type = "Unigram";
  if (type == "BPE") return read_bpe_model(reader, alphabet);
  if (type == "Unigram") return read_unigram_model(reader, alphabet);
  reader.fail_at("type", "\"" + printable(type) + "\" is not supported, only BPE and Unigram are");
}

std::string byte_token(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">";
}

}  // namespace pdl::tokenizer_json
