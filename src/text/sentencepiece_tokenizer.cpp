#include "sentencepiece_tokenizer.h"

#include <fcntl.h>
#include <sentencepiece_processor.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/sha256.h"
#include "pdl/text/tokenizer.h"
#include "sentencepiece_words.h"
#include "unigram_words.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

// A model holds a piece and a score for each token: far less than this.
constexpr int64_t kMaxModelBytes = int64_t{1} << 30;

std::string refusal(const fs::path& path, const std::string& why) {
  return "tokenizer '" + path.string() + "' is not a usable SentencePiece model: " + why;
}

// Touches everything that training will ask of the model. Returns false if the library reports an
// error.
bool works(const std::string& serialized) {
  sentencepiece::SentencePieceProcessor processor;
  if (!processor.LoadFromSerializedProto(serialized).ok()) return false;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    processor.IdToPiece(id);
    processor.IsControl(id);
  }
  std::vector<int> ids;
  return processor.GetPieceSize() > 0 && processor.Encode("Hello, wörld 你好 \n\t1234", &ids).ok();
}

// SentencePiece ends the process (CHECK, abort) on some malformed models, so the first load happens
// in a child. Returns
// "" or what is wrong.
std::string try_in_child(const std::string& serialized) {
  constexpr rlim_t kMaxSeconds = 60;
  const pid_t child = ::fork();
  if (child < 0)
    return std::string("cannot start the process that tests it: ") + std::strerror(errno);
  if (child == 0) {
    const int null_device = ::open("/dev/null", O_WRONLY);
    ::dup2(null_device, STDERR_FILENO);
    const rlimit no_core{0, 0};
    const rlimit cpu_seconds{kMaxSeconds, kMaxSeconds};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::setrlimit(RLIMIT_CPU, &cpu_seconds);
    bool good = false;
    try {
      good = works(serialized);
    } catch (...) {
      good = false;
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
  if (WIFSIGNALED(status))
    return "the library gives up on it (" + std::string(::strsignal(WTERMSIG(status))) + ")";
  return "the library cannot load it";
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const fs::path& path) : path_(path) {
    const std::string serialized = read_file<ModelError>("tokenizer", path, kMaxModelBytes);
    if (serialized.empty()) throw ModelError("tokenizer '" + path.string() + "' is empty");
    const std::string problem = try_in_child(serialized);
    if (!problem.empty()) throw ModelError(refusal(path, problem));
    const auto status = processor_.LoadFromSerializedProto(serialized);
    if (!status.ok()) throw ModelError(refusal(path, status.ToString()));
    const SentencePieceModel model = parse_sentencepiece_model(serialized);
    words_ = make_sentencepiece_words(model, serialized);
    unigram_ = UnigramWords::make(model);
    sha256_ = pdl::sha256(serialized);
  }

  int64_t size() const override { return processor_.GetPieceSize(); }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int> ids;
    const auto status = processor_.Encode(absl::string_view(text.data(), text.size()), &ids);
    if (!status.ok()) throw ModelError(refusal(path_, status.ToString()));
    return ids;
  }

  bool has_words() const override { return words_ != nullptr; }
  void split(std::string_view text, bool begins, WordList& list) const override {
    words_->split(text, begins, list);
  }
  bool encode_word(std::string_view word, std::vector<int32_t>& ids) const override {
    return words_->encode_word(word, ids);
  }
  size_t find_cut(std::string_view text, size_t from) const override {
    return words_->find_cut(text, from);
  }

  std::unique_ptr<CachingEncoder> make_caching_encoder() const override {
    return unigram_ ? unigram_->make_encoder() : nullptr;
  }

  std::optional<int32_t> control_id(std::string_view written) const override {
    const int id = processor_.PieceToId(absl::string_view(written.data(), written.size()));
    return processor_.IsControl(id) ? std::optional<int32_t>(id) : std::nullopt;
  }

  std::string piece(int32_t id) const override { return processor_.IdToPiece(id); }
  std::optional<int32_t> bos_id() const override { return present(processor_.bos_id()); }
  std::optional<int32_t> eos_id() const override { return present(processor_.eos_id()); }
  std::optional<int32_t> pad_id() const override { return present(processor_.pad_id()); }

  std::vector<int32_t> special_ids() const override {
    std::vector<int32_t> special;
    for (int32_t id = 0; id < processor_.GetPieceSize(); ++id) {
      if (processor_.IsControl(id) || processor_.IsUnknown(id)) special.push_back(id);
    }
    return special;
  }

  const std::string& sha256() const override { return sha256_; }

 private:
  static std::optional<int32_t> present(int id) {
    return id >= 0 ? std::optional<int32_t>(id) : std::nullopt;
  }

  fs::path path_;
  sentencepiece::SentencePieceProcessor processor_;
  std::unique_ptr<SentencePieceWords> words_;
  std::unique_ptr<UnigramWords> unigram_;
  std::string sha256_;
};

}  // namespace

std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const fs::path& path) {
  return std::make_unique<SentencePieceTokenizer>(path);
}

}  // namespace pdl
