#include "decoder.h"

#include <utility>

#include "decoder_steps.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"
#include "pre_tokenizer.h"
#include "read_pattern.h"

namespace pdl::tokenizer_json {
namespace {

constexpr size_t kMaxSteps = 32;

class TextSink : public TokenSink {
 public:
  explicit TextSink(std::string& text) : text_(text) {}
  void text(std::string_view part) override { text_ += part; }
  void end_token() override {}
  void end() override {}

 private:
  std::string& text_;
};

MakeDecoderStep read_metaspace_decoder(ObjectReader& reader) {
  const MetaspaceStage stage = read_metaspace(reader);
  return metaspace_decoder(stage.written, stage.prepend != PrependScheme::kNever);
}

MakeDecoderStep read_replace(ObjectReader& reader) {
  std::string literal;
  Pattern pattern = read_pattern(reader, &literal);
  return replace_decoder(std::move(literal), std::move(pattern), reader.string("content"));
}

MakeDecoderStep read_strip(ObjectReader& reader) {
  const std::string& content = reader.string("content");
  if (content.empty() || character_bytes(content.front()) != content.size()) {
    reader.fail_at("content", "\"" + printable(content) + "\" is not one character");
  }
  return strip_decoder(content, static_cast<size_t>(reader.integer("start", 0)),
                       static_cast<size_t>(reader.integer("stop", 0)));
}

MakeDecoderStep read_step(const std::string& type, ObjectReader& reader) {
  if (type == "ByteLevel") return byte_level_decoder();
  if (type == "Metaspace") return read_metaspace_decoder(reader);
  if (type == "ByteFallback") return byte_fallback_decoder();
  if (type == "Fuse") return fuse_decoder();
  if (type == "Replace") return read_replace(reader);
  if (type == "Strip") return read_strip(reader);
  if (type == "WordPiece") {
    return word_piece_decoder(reader.string("prefix"), reader.boolean("cleanup"));
  }
  if (type == "BPEDecoder") return bpe_decoder(reader.string("suffix"));
  if (type == "CTC") {
    return ctc_decoder(reader.string("pad_token"), reader.string("word_delimiter_token"),
                       reader.boolean("cleanup"));
  }
  reader.fail_at("type", "\"" + printable(type) + "\" is a decoder that is not supported");
}

// The package passes over members that it does not know, so they are not refused.
void read_steps(const JsonValue& value, const JsonBlame& blame, const std::string& place,
                std::vector<MakeDecoderStep>& steps) {
  ObjectReader reader(value, blame, place);
  const std::string type = reader.string("type");
  if (type == "Sequence") {
    const JsonValue& parts = reader.required("decoders", JsonValue::Kind::kArray);
    for (size_t i = 0; i < parts.items().size(); ++i) {
      read_steps(parts.items()[i], blame, element_place(reader.place_of("decoders"), i), steps);
    }
    return;
  }
  if (steps.size() == kMaxSteps) {
    reader.fail("is one of more than " + std::to_string(kMaxSteps) + " decoders");
  }
  steps.push_back(read_step(type, reader));
}

}  // namespace

DecoderRun::DecoderRun(const std::vector<MakeDecoderStep>& steps)
    : first_(std::make_unique<TextSink>(made_)) {
  for (size_t i = steps.size(); i > 0; --i) first_ = steps[i - 1](std::move(first_), allowance_);
}

void DecoderRun::push(std::string_view token, std::string& text) {
  allowance_.add_token(token.size());
  first_->text(token);
  first_->end_token();
  move_made(text);
}

void DecoderRun::finish(std::string& text) {
  first_->end();
  move_made(text);
}

void DecoderRun::move_made(std::string& text) {
  text += made_;
  made_.clear();
}

Decoder::Decoder(const JsonValue& root, const JsonBlame& blame) {
  try {
    const JsonValue* value = ObjectReader(root, blame).find("decoder");
    if (value == nullptr) {
      steps_.push_back(join_with_blanks());
    } else {
      read_steps(*value, blame, "decoder", steps_);
    }
  } catch (const ModelError& problem) {
    problem_ = problem.what();
  }
}

std::unique_ptr<DecoderRun> Decoder::start() const {
  if (!problem_.empty()) throw ModelError(problem_);
  return std::make_unique<DecoderRun>(steps_);
}

}  // namespace pdl::tokenizer_json
