#include "pdl/generation/generate.h"

#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "growing_text.h"
#include "pdl/base/error.h"

#ifndef _OPENMP
#error "at::parallel_for runs in one thread in a file that is compiled without -fopenmp"
#endif

namespace pdl {
namespace {

bool contains(std::span<const int32_t> ids, int32_t id) {
  return std::ranges::find(ids, id) != ids.end();
}

// A sample that grows.
class GrowingSample {
 public:
  GrowingSample(std::span<const int32_t> prompt, int64_t prompt_index, int64_t number,
                const Tokenizer& tokenizer, const GenerationOptions& options)
      : options_(options),
        prompt_size_(prompt.size()),
        ids_(prompt.begin(), prompt.end()),
        noise_(options.seed, prompt, static_cast<uint64_t>(number)),
        text_(tokenizer, prompt, options.stop_strings) {
    sample_.prompt_index = prompt_index;
    sample_.sample = number;
  }

  // Chooses the next token by its logits, which change.
  void choose(std::span<float> logits, std::span<const int32_t> held_back) {
    const std::vector<float> own(logits.begin(), logits.end());
    add_bias(logits, options_.logit_bias);
    const bool holds = generated() < options_.min_new_tokens;
    process_scores(logits, ids_, options_.sampling, holds ? held_back : std::span<const int32_t>{});
    const int32_t id = choose_token(logits, options_.sampling, noise_, ids_.size());
    sample_.logprobs.push_back(log_probability(own, id));
    append(id);
  }

  bool is_finished() const { return is_finished_; }
  int32_t last_id() const { return ids_.back(); }
  std::string take_text() { return text_.take_certain(); }
  int64_t prompt_index() const { return sample_.prompt_index; }
  // Only if it is finished.
  const Sample& result() const { return sample_; }

 private:
  int64_t generated() const { return static_cast<int64_t>(ids_.size() - prompt_size_); }

  void append(int32_t id) {
    ids_.push_back(id);
    if (contains(options_.eos_ids, id)) return finish(FinishReason::kEos);
    if (contains(options_.stop_ids, id)) return finish(FinishReason::kStop);
    if (text_.push(id)) return finish(FinishReason::kStop, /*is_text_whole=*/true);
    if (generated() == options_.max_new_tokens) return finish(FinishReason::kLength);
    if (options_.max_length > 0 && std::ssize(ids_) == options_.max_length)
      finish(FinishReason::kMaxLength);
  }

  void finish(FinishReason reason, bool is_text_whole = false) {
    is_finished_ = true;
    if (!is_text_whole) text_.finish();
    sample_.finish_reason = reason;
    sample_.text = text_.whole();
    sample_.ids.assign(ids_.begin() + static_cast<std::ptrdiff_t>(prompt_size_), ids_.end());
  }

  const GenerationOptions& options_;
  size_t prompt_size_;
  std::vector<int32_t> ids_;  // with the prompt's
  SampleNoise noise_;
  GrowingText text_;
  Sample sample_;
  bool is_finished_ = false;
};

void require_short_enough(std::span<const std::vector<int32_t>> prompts, int64_t max_length) {
  for (size_t i = 0; max_length > 0 && i < prompts.size(); ++i) {
    const int64_t length = std::ssize(prompts[i]);
    if (length < max_length) continue;
    throw DataError("prompt " + std::to_string(i) + " has " + std::to_string(length) +
                    " ids, and prompt and text together may have " + std::to_string(max_length) +
                    " (max_length); shorten it");
  }
}

// Samples that are generated together.
class Batch {
 public:
  Batch(LanguageModel& model, const GenerationOptions& options)
      : decoding_(model.start_decoding()), held_back_(options.eos_ids) {
    held_back_.insert(held_back_.end(), options.stop_ids.begin(), options.stop_ids.end());
  }

  // Samples of one prompt follow one another.
  void add(GrowingSample sample, const std::vector<int32_t>& prompt) {
    if (samples_.empty() || samples_.back().prompt_index() != sample.prompt_index())
      prompts_.push_back(prompt);
    rows_.push_back(std::ssize(prompts_) - 1);
    samples_.push_back(std::move(sample));
  }
  int64_t size() const { return std::ssize(samples_); }

  void run(const std::function<void(std::string_view)>& on_text) {
    at::Tensor logits = decoding_->start(prompts_).cpu().contiguous();
    if (prompts_.size() < samples_.size()) {
      logits = logits.index_select(0, at::tensor(rows_, at::kLong));
      decoding_->select(rows_);
    }
    std::vector<GrowingSample*> growing;
    for (GrowingSample& sample : samples_) growing.push_back(&sample);
    while (true) {
      choose(growing, logits);
      if (on_text) on_text(samples_.front().take_text());
      drop_finished(growing);
      if (growing.empty()) return;
      std::vector<int32_t> ids;
      for (const GrowingSample* sample : growing) ids.push_back(sample->last_id());
      logits = decoding_->next(ids).cpu().contiguous();
    }
  }

  const std::deque<GrowingSample>& samples() const { return samples_; }

 private:
  void choose(const std::vector<GrowingSample*>& growing, const at::Tensor& logits) {
    const int64_t width = logits.size(1);
    auto* values = logits.mutable_data_ptr<float>();
    at::parallel_for(0, std::ssize(growing), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        growing[static_cast<size_t>(i)]->choose({values + i * width, static_cast<size_t>(width)},
                                                held_back_);
      }
    });
  }

  void drop_finished(std::vector<GrowingSample*>& growing) {
    std::vector<int64_t> kept;
    for (size_t i = 0; i < growing.size(); ++i) {
      if (!growing[i]->is_finished()) kept.push_back(static_cast<int64_t>(i));
    }
    if (kept.size() == growing.size()) return;
    std::erase_if(growing, [](const GrowingSample* sample) { return sample->is_finished(); });
    if (!kept.empty()) decoding_->select(kept);
  }

  std::unique_ptr<Decoding> decoding_;
  std::vector<int32_t> held_back_;
  std::vector<std::vector<int32_t>> prompts_;
  std::vector<int64_t> rows_;  // of prompts_, of each sample
  std::deque<GrowingSample> samples_;
};

}  // namespace

void generate(LanguageModel& model, const Tokenizer& tokenizer,
              std::span<const std::vector<int32_t>> prompts, const GenerationOptions& options,
              const GenerationSinks& sinks) {
  require_short_enough(prompts, options.max_length);
  const int64_t count = std::ssize(prompts) * options.num_return_sequences;
  for (int64_t first = 0; first < count; first += options.batch_size) {
    Batch batch(model, options);
    for (int64_t i = first; i < std::min(first + options.batch_size, count); ++i) {
      const int64_t prompt_index = i / options.num_return_sequences;
      const std::vector<int32_t>& prompt = prompts[static_cast<size_t>(prompt_index)];
      batch.add({prompt, prompt_index, i % options.num_return_sequences, tokenizer, options},
                prompt);
    }
    batch.run(count == 1 ? sinks.on_text : nullptr);
    for (const GrowingSample& sample : batch.samples()) sinks.on_sample(sample.result());
  }
}

}  // namespace pdl
