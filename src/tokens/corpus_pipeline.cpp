#include "pdl/tokens/corpus_pipeline.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "document_encoder.h"
#include "pdl/base/error.h"
#include "pdl/base/log.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/corpus_reader.h"
#include "pdl/corpus/jsonl.h"

namespace pdl {
namespace {

bool is_empty(const Document& document) {
  for (const DocumentPart& part : document.parts) {
    if (!is_white_space(part.text)) return false;
  }
  return true;
}

// The objects with which one thread tokenizes blocks.
class BlockTokenizer {
 public:
  BlockTokenizer(const Corpus& corpus, const ChatFormat& chats) : corpus_(corpus), chats_(chats) {
    if (corpus.tokenizer != nullptr) encoder_.emplace(*corpus.tokenizer, corpus.text);
  }

  void run(CorpusBlock& block) {
    tokens_.tokens.clear();
    tokens_.document_ends.clear();
    switch (block.kind) {
      case CorpusFileKind::kText:
        run_text(block);
        break;
      case CorpusFileKind::kJsonl:
        run_jsonl(block);
        break;
      case CorpusFileKind::kTokens:
        run_array(block);
        break;
    }
  }

  const BlockTokens& tokens() const { return tokens_; }
  const DocumentCounts& counts() const { return counts_; }
  CorpusNotes notes() const {
    CorpusNotes notes = notes_;
    if (encoder_) notes.add(encoder_->notes());
    return notes;
  }

 private:
  void run_array(const CorpusBlock& block) {
    for (size_t i = 0; i < block.ids.size(); ++i) {
      if (block.ids[i] >= corpus_.vocab_size) {
        throw DataError(
            "token file '" + corpus_.files[block.file] + "': id " + std::to_string(block.ids[i]) +
            " at index " + std::to_string(block.first_byte + static_cast<int64_t>(i)) +
            " is outside the vocabulary of " + std::to_string(corpus_.vocab_size) + " tokens");
      }
      tokens_.tokens.emplace_back(block.ids[i]);
    }
    if (block.ends_document) end_document();
  }

  void run_text(const CorpusBlock& block) {
    std::string_view text = block.text;
    const size_t invalid = find_invalid_utf8(text);
    if (invalid != std::string_view::npos) {
      throw DataError("text file '" + corpus_.files[block.file] + "' is not UTF-8 at byte " +
                      std::to_string(block.first_byte + static_cast<int64_t>(invalid)) +
                      "; convert it to UTF-8");
    }
    if (block.first_byte == 0 && text.starts_with(kByteOrderMark))
      text.remove_prefix(kByteOrderMark.size());
    if (corpus_.text.text_document != TextDocument::kFile) {
      split_documents(text, corpus_.text.text_document, counts_, [&](std::string_view document) {
        encoder_->encode(document, tokens_.tokens);
        tokens_.document_ends.push_back(std::ssize(tokens_.tokens));
      });
      return;
    }
    // Files are cut between letters, so a part is never white space alone.
    if (block.begins_document && block.ends_document && is_white_space(text)) {
      ++counts_.empty_documents;
      return;
    }
    encoder_->encode(text, tokens_.tokens, block.begins_document, block.ends_document);
    if (block.ends_document) end_document();
  }

  void run_jsonl(const CorpusBlock& block) {
    std::string_view text = block.text;
    if (block.first_byte == 0 && text.starts_with(kByteOrderMark))
      text.remove_prefix(kByteOrderMark.size());
    RecordPlace place{corpus_.files[block.file], block.first_line};
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      if (!is_blank(line)) run_record(line, place);
      ++place.line;
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  static bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
  }

  void run_record(std::string_view line, const RecordPlace& place) {
    const Document document = parse_record(line, corpus_.text, chats_, place);
    if (is_empty(document)) {
      ++counts_.empty_documents;
      return;
    }
    encoder_->encode(document, tokens_.tokens);
    for (const std::string& name : document.other_fields) notes_.add_other_field(name);
    notes_.untrained_calls += document.untrained_calls;
    end_document();
  }

  void end_document() {
    ++counts_.documents;
    tokens_.document_ends.push_back(std::ssize(tokens_.tokens));
  }

  const Corpus& corpus_;
  const ChatFormat& chats_;
  std::optional<DocumentEncoder> encoder_;
  BlockTokens tokens_;
  DocumentCounts counts_;
  CorpusNotes notes_;  // but for those of the encoder
};

// Threads take turns to read a block; each tokenizes its block while another reads the next.
class Pipeline {
 public:
  Pipeline(const Corpus& corpus, const PipelineOptions& options,
           const std::function<void(int64_t, const BlockTokens&)>& visit)
      : corpus_(corpus),
        options_(options),
        visit_(visit),
        chats_(corpus.text, corpus.tokenizer),
        reader_(corpus.files, corpus.text.text_document, corpus.tokenizer) {}

  CorpusSummary run() {
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(options_.num_threads));
    try {
      for (int64_t thread = 1; thread < options_.num_threads; ++thread) {
        threads.emplace_back([this, thread] { work(thread); });
      }
    } catch (const std::exception& problem) {
      // The others go on, because the result does not depend on their number.
      log_warning("only " + std::to_string(threads.size() + 1) + " of " +
                  std::to_string(options_.num_threads) +
                  " threads for text can be started: " + problem.what());
    }
    work(0);
    for (std::thread& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
    return {counts_, notes_, reader_.sha256()};
  }

 private:
  void work(int64_t thread) {
    int64_t index = 0;
    try {
      BlockTokenizer tokenizer(corpus_, chats_);
      CorpusBlock block;
      while (read(block, index)) {
        tokenizer.run(block);
        if (!visit(thread, index, tokenizer.tokens())) break;
      }
      const std::lock_guard lock(mutex_);
      counts_.documents += tokenizer.counts().documents;
      counts_.empty_documents += tokenizer.counts().empty_documents;
      notes_.add(tokenizer.notes());
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_ || index < failed_index_) {
        failure_ = std::current_exception();
        failed_index_ = index;
      }
      visited_.notify_all();
    }
  }

  // Reads the next block of this shard and its number among those. Returns false at the end, and
  // after a failure, because other threads already have the blocks before the failed one.
  bool read(CorpusBlock& block, int64_t& index) {
    const std::lock_guard lock(reading_);
    {
      const std::lock_guard state_lock(mutex_);
      if (failure_) return false;
    }
    if (is_broken_) return false;
    index = num_read_;
    is_broken_ = true;  // reset when the reader returns
    while (reader_.next(block)) {
      if (options_.progress) options_.progress(reader_.bytes_read(), reader_.total_bytes());
      if (block.index % options_.num_shards != options_.shard) continue;
      ++num_read_;
      is_broken_ = false;
      return true;
    }
    return false;  // nothing comes after the end either
  }

  // Returns false if an earlier block failed.
  bool visit(int64_t thread, int64_t index, const BlockTokens& tokens) {
    if (!options_.in_order) {
      visit_(thread, tokens);
      return true;
    }
    std::unique_lock lock(mutex_);
    visited_.wait(lock, [&] {
      return num_visited_ == index || (failure_ != nullptr && failed_index_ < index);
    });
    if (num_visited_ != index) return false;
    lock.unlock();  // no other thread has the turn
    visit_(0, tokens);
    lock.lock();
    ++num_visited_;
    visited_.notify_all();
    return true;
  }

  const Corpus& corpus_;
  const PipelineOptions& options_;
  const std::function<void(int64_t, const BlockTokens&)>& visit_;

  const ChatFormat chats_;
  std::mutex reading_;
  CorpusReader reader_;
  int64_t num_read_ = 0;
  bool is_broken_ = false;  // the reader is at its end, or failed

  std::mutex mutex_;
  std::condition_variable visited_;
  int64_t num_visited_ = 0;
  DocumentCounts counts_;
  CorpusNotes notes_;
  std::exception_ptr failure_;
  int64_t failed_index_ = 0;  // of the first block in the corpus that failed
};

}  // namespace

CorpusSummary for_each_block(
    const Corpus& corpus, const PipelineOptions& options,
    const std::function<void(int64_t thread, const BlockTokens& tokens)>& visit) {
  return Pipeline(corpus, options, visit).run();
}

}  // namespace pdl
