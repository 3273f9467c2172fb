#include "pdl/text/tokenized_corpus.h"

#include "pdl/base/error.h"

namespace pdl {
namespace {

int32_t required_id(std::optional<int32_t> id, const std::string& name) {
  if (!id) {
    throw ModelError("the tokenizer has no " + name + " token; set add_" + name +
                     " to false or use another tokenizer");
  }
  return *id;
}

}  // namespace

std::span<const int32_t> TokenizedCorpus::document(int64_t index) const {
  const auto at = static_cast<size_t>(index);
  const int64_t begin = index == 0 ? 0 : document_ends[at - 1];
  return std::span(ids).subspan(static_cast<size_t>(begin),
                                static_cast<size_t>(document_ends[at] - begin));
}

std::vector<int32_t> encode_document(std::string_view text, const TextOptions& options,
                                     const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = tokenizer.encode(text);
  if (options.add_bos) ids.insert(ids.begin(), required_id(tokenizer.bos_id(), "bos"));
  if (options.add_eos) ids.push_back(required_id(tokenizer.eos_id(), "eos"));
  return ids;
}

TokenizedCorpus tokenize_corpus(const std::vector<std::string>& files, const TextOptions& options,
                                const Tokenizer& tokenizer) {
  TokenizedCorpus corpus;
  corpus.document_counts = for_each_document(
      files, options.text_document,
      [&](std::string_view text) {
        const std::vector<int32_t> ids = encode_document(text, options, tokenizer);
        corpus.ids.insert(corpus.ids.end(), ids.begin(), ids.end());
        corpus.document_ends.push_back(static_cast<int64_t>(corpus.ids.size()));
      },
      &corpus.sha256);
  if (corpus.ids.empty()) {
    throw DataError("'" + files.front() + "'" +
                    (files.size() > 1 ? " and the other files hold" : " holds") +
                    " nothing but white space");
  }
  return corpus;
}

}  // namespace pdl
