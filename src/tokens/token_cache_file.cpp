#include "token_cache_file.h"

#include <unistd.h>

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kMark = "PDLTOKN1";
constexpr uint64_t kMaxDescriptionBytes = 1 << 16;
constexpr size_t kHashBytes = 64;
static_assert(std::endian::native == std::endian::little, "the files are little-endian");

template <class Value>
std::string_view bytes_of(std::span<const Value> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

size_t padding_of(size_t size) { return (alignof(int64_t) - size % alignof(int64_t)) % 8; }

// The description near the end of the file, and the number of bytes before it.
Json parse_description(std::string_view content, size_t& payload_bytes) {
  constexpr size_t kTailBytes = sizeof(uint64_t) + kHashBytes + kMark.size();
  if (content.size() < kTailBytes || !content.ends_with(kMark)) return {};
  const size_t hash_at = content.size() - kMark.size() - kHashBytes;
  if (content.substr(hash_at, kHashBytes) != sha256(content.substr(0, hash_at))) return {};
  uint64_t size = 0;
  std::memcpy(&size, content.data() + content.size() - kTailBytes, sizeof size);
  if (size > kMaxDescriptionBytes || size > content.size() - kTailBytes) return {};
  payload_bytes = content.size() - kTailBytes - size;
  return Json::parse(content.substr(payload_bytes, size), nullptr, /*allow_exceptions=*/false);
}

bool are_document_ends(std::span<const int64_t> ends, int64_t last) {
  int64_t before = 0;
  for (const int64_t end : ends) {
    if (end < before) return false;
    before = end;
  }
  return before == last;
}

// Returns "" or what is wrong. `corpus` becomes views into `content`.
std::string interpret(std::string_view content, TokenizedCorpus& corpus) {
  size_t payload_bytes = 0;
  const Json json = parse_description(content, payload_bytes);
  if (!json.is_object()) return "is damaged or no file of tokens";
  try {
    const auto num_tokens = json.at("tokens").get<uint64_t>();
    const auto num_ends = json.at("document_ends").get<uint64_t>();
    if (num_tokens > payload_bytes / sizeof(Token) || num_ends > payload_bytes / sizeof(int64_t))
      return "is shorter than it says";
    const size_t token_bytes = num_tokens * sizeof(Token);
    const size_t ends_at = token_bytes + padding_of(token_bytes);
    if (ends_at + num_ends * sizeof(int64_t) != payload_bytes) return "has not the length it says";
    const char* bytes = content.data();
    corpus.tokens = {reinterpret_cast<const Token*>(bytes), num_tokens};
    corpus.document_ends = {reinterpret_cast<const int64_t*>(bytes + ends_at), num_ends};
    corpus.all_trained = json.at("all_trained").get<bool>();
    corpus.document_counts.documents = json.at("documents").get<int64_t>();
    corpus.document_counts.empty_documents = json.at("empty_documents").get<int64_t>();
    corpus.sha256 = json.at("corpus_sha256").get<std::string>();
    const auto notes = parse_corpus_notes(json.at("notes").get<std::string>());
    if (!notes) return "has a damaged description";
    corpus.notes = *notes;
  } catch (const Json::exception&) {
    return "has a damaged description";
  }
  if (!are_document_ends(corpus.document_ends, std::ssize(corpus.tokens)))
    return "has damaged document ends";
  return "";
}

// Returns nullptr if the file cannot be mapped; `damage` then says why.
std::shared_ptr<MappedFile> try_map_file(const fs::path& path, std::string& damage) {
  struct Descriptor {
    int number = -1;
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
  };
  Descriptor descriptor;
  int64_t size = 0;
  damage = try_open_file(path, descriptor.number, size);
  if (!damage.empty()) return nullptr;
  try {
    return std::make_shared<MappedFile>(descriptor.number, path);
  } catch (const StorageError& problem) {
    damage = std::string("cannot be used: ") + problem.what();
    return nullptr;
  }
}

}  // namespace

void CachedTokensWriter::add(const BlockTokens& block) {
  write(bytes_of(std::span(block.tokens)));
  for (const int64_t end : block.document_ends) document_ends_.push_back(num_tokens_ + end);
  num_tokens_ += std::ssize(block.tokens);
  if (all_trained_) {
    for (const Token& token : block.tokens) all_trained_ = all_trained_ && token.is_trained();
  }
}

void CachedTokensWriter::write(std::string_view bytes) {
  hash_.update(bytes);
  file_.write(bytes);
}

TokenizedCorpus CachedTokensWriter::finish(const CorpusSummary& summary) {
  const auto token_bytes = static_cast<size_t>(num_tokens_) * sizeof(Token);
  write(std::string(padding_of(token_bytes), '\0'));
  write(bytes_of(std::span<const int64_t>(document_ends_)));
  const Json json = {{"format", "pdl-tokens"},
                     {"version", 1},
                     {"tokens", num_tokens_},
                     {"document_ends", document_ends_.size()},
                     {"all_trained", all_trained_},
                     {"documents", summary.document_counts.documents},
                     {"empty_documents", summary.document_counts.empty_documents},
                     {"corpus_sha256", summary.sha256},
                     {"notes", to_json(summary.notes)}};
  const std::string description = json.dump();
  const uint64_t size = description.size();
  write(description);
  write({reinterpret_cast<const char*>(&size), sizeof size});
  file_.write(hash_.finish());
  file_.write(kMark);
  const auto mapped = std::make_shared<MappedFile>(file_.descriptor(), "tokens");
  const char* bytes = mapped->content().data();
  return {.tokens = {reinterpret_cast<const Token*>(bytes), static_cast<size_t>(num_tokens_)},
          .document_ends = {reinterpret_cast<const int64_t*>(bytes + token_bytes +
                                                             padding_of(token_bytes)),
                            document_ends_.size()},
          .all_trained = all_trained_,
          .document_counts = summary.document_counts,
          .notes = summary.notes,
          .sha256 = summary.sha256,
          .memory = mapped};
}

std::optional<TokenizedCorpus> open_cached_tokens(const fs::path& path, std::string& damage) {
  std::error_code error;
  if (!fs::exists(path, error) && !error) return std::nullopt;
  TokenizedCorpus corpus;
  const std::shared_ptr<MappedFile> mapped = try_map_file(path, damage);
  if (damage.empty()) damage = interpret(mapped->content(), corpus);
  if (!damage.empty()) return std::nullopt;
  corpus.memory = mapped;
  return corpus;
}

}  // namespace pdl
