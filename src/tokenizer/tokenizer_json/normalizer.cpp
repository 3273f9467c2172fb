#include "normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <algorithm>
#include <memory>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/pattern/character.h"
#include "read_pattern.h"

namespace pdl::tokenizer_json {
namespace {

// Normal forms and the replacements of known files make a text a few times as long. But what a step
// makes, the next one can make more of: a short file could fill the memory.
constexpr size_t kMaxGrowth = 64;
constexpr size_t kMaxAddedBytes = 4096;

void check_size(size_t size, size_t max_size) {
  if (size <= max_size) return;
  throw DataError("the tokenizer's normalizer makes a text more than " +
                  std::to_string(kMaxGrowth) + " times as long; use another tokenizer");
}

void check(UErrorCode status) {
  if (U_FAILURE(status)) {
    throw ModelError(std::string("the Unicode library fails: ") + u_errorName(status));
  }
}

const icu::Normalizer2& newest(NormalForm form, UErrorCode& status) {
  const icu::Normalizer2* normalizer = nullptr;
  switch (form) {
    case NormalForm::kNfc:
      normalizer = icu::Normalizer2::getNFCInstance(status);
      break;
    case NormalForm::kNfd:
      normalizer = icu::Normalizer2::getNFDInstance(status);
      break;
    case NormalForm::kNfkc:
      normalizer = icu::Normalizer2::getNFKCInstance(status);
      break;
    case NormalForm::kNfkd:
      normalizer = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  check(status);
  return *normalizer;
}

// The `tokenizers` package normalises as Unicode 9 says and leaves later characters alone.
const icu::UnicodeSet& characters_of_unicode_9() {
  static const std::unique_ptr<const icu::UnicodeSet> set = [] {
    UErrorCode status = U_ZERO_ERROR;
    auto made = std::make_unique<icu::UnicodeSet>(u"[:age=9.0:]", status);
    check(status);
    made->freeze();
    return made;
  }();
  return *set;
}

std::string normalized(std::string_view text, NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::FilteredNormalizer2 normalizer(newest(form, status), characters_of_unicode_9());
  std::string result;
  icu::StringByteSink<std::string> sink(&result, static_cast<int32_t>(text.size()));
  if (text.size() > INT32_MAX) throw DataError("a document of 2 GiB or more cannot be normalised");
  normalizer.normalizeUTF8(0, {text.data(), static_cast<int32_t>(text.size())}, sink, nullptr,
                           status);
  check(status);
  return result;
}

std::string replaced(std::string_view text, const Replace& replace, size_t max_size) {
  std::string result;
  result.reserve(text.size());
  size_t copied = 0;
  TextSpan match{};
  while (replace.pattern.find(text, copied, match)) {
    result += text.substr(copied, match.begin - copied);
    result += replace.content;
    copied = match.end;
    check_size(result.size(), max_size);
  }
  result += text.substr(copied);
  return result;
}

// Applies one step.
struct Application {
  std::string_view text;
  bool goes_on;
  size_t max_size;

  std::string operator()(NormalForm form) const { return normalized(text, form); }
  std::string operator()(const Lowercase&) const { return lowercase(text); }
  std::string operator()(const Replace& replace) const { return replaced(text, replace, max_size); }
  std::string operator()(const Prepend& prepend) const {
    return text.empty() || goes_on ? std::string(text) : prepend.text + std::string(text);
  }
};

NormalizerStep read_replace(ObjectReader& reader) {
  std::string literal;
  Pattern pattern = read_pattern(reader, &literal);
  return Replace{std::move(literal), std::move(pattern), reader.string("content")};
}

NormalizerStep read_step(const std::string& type, ObjectReader& reader) {
  if (type == "NFC") return NormalForm::kNfc;
  if (type == "NFD") return NormalForm::kNfd;
  if (type == "NFKC") return NormalForm::kNfkc;
  if (type == "NFKD") return NormalForm::kNfkd;
  if (type == "Lowercase") return Lowercase{};
  if (type == "Replace") return read_replace(reader);
  if (type == "Prepend") return Prepend{reader.string("prepend")};
  reader.fail_at("type", "\"" + printable(type) + "\" is a normalizer that is not supported");
}

}  // namespace

Normalizer::Normalizer(const JsonValue& value, const JsonBlame& blame, const std::string& place) {
  add(value, blame, place);
}

void Normalizer::add(const JsonValue& value, const JsonBlame& blame, const std::string& place) {
  ObjectReader reader(value, blame, place);
  const std::string type = reader.string("type");
  if (type == "Sequence") {
    const JsonValue& parts = reader.required("normalizers", JsonValue::Kind::kArray);
    for (size_t i = 0; i < parts.items().size(); ++i) {
      add(parts.items()[i], blame, element_place(reader.place_of("normalizers"), i));
    }
  } else {
    steps_.push_back(read_step(type, reader));
  }
  reader.finish();
}

bool Normalizer::may_change(std::string_view text) const {
  const bool only_forms = std::all_of(steps_.begin(), steps_.end(), [](const NormalizerStep& step) {
    return std::holds_alternative<NormalForm>(step);
  });
  return !only_forms || (!steps_.empty() && !is_ascii(text));
}

std::string Normalizer::apply(std::string_view text, bool goes_on) const {
  const size_t max_size = text.size() * kMaxGrowth + kMaxAddedBytes;
  std::string result(text);
  for (const NormalizerStep& step : steps_) {
    result = std::visit(Application{result, goes_on, max_size}, step);
    check_size(result.size(), max_size);
  }
  return result;
}

}  // namespace pdl::tokenizer_json
