// Figures of the quality of texts, on token ids and on words, each beside those of other texts:
// generated ones, what people wrote, and more of what people wrote. docs/text-quality.md says how
// to read them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pdl/quality/ngrams.h"

namespace pdl {

// Samples as ids, each in [0, V), and as text; one text a sample.
struct TextSamples {
  Samples ids;
  std::vector<std::string> texts;
};

// With what every text is measured.
struct QualityOptions {
  std::span<const int64_t> training_counts;  // [V]
  int64_t rare_below = 500;                  // a token with fewer training occurrences is rare
};

// Figures of samples. What is not defined, as without an n-gram, is none. Arrays are by n, from the
// smallest.
struct TextFigures {
  std::array<std::optional<double>, 4> distinct;  // distinct_1..4, see distinct_share()
  std::array<SequenceRepetition, 3> seq_rep;      // seq_rep_2..4, see sequence_repetition()
  std::optional<double> diversity;                // distinct_2 · distinct_3 · distinct_4
  std::optional<double> self_bleu_4;              // see self_bleu()
  int64_t self_bleu_4_skipped = 0;
  std::optional<double> zipf;  // see zipf_exponent()
  int64_t tokens = 0;
  // The distance of ids and of pairs of ids to those of the other text; see divergence.h.
  std::optional<double> js_unigram;
  std::optional<double> js_bigram;
  std::optional<double> kl_unigram;     // KL(other || this)
  std::optional<double> rare_share;     // the share of tokens that are rare
  std::optional<double> rare_coverage;  // the share of the other's rare ids that occur here
  std::array<std::optional<double>, 2> word_distinct;  // word_distinct_1..2
  int64_t words = 0;
  std::optional<double> mattr;  // of the words of all samples in a row; see words.h
  std::optional<double> mtld;
  std::optional<double> judge_nll;  // set by who has a judge: nats a token
};

// Measures `samples`, beside `other`; null: what compares with it is none.
TextFigures measure_text(const TextSamples& samples, const TextSamples* other,
                         const QualityOptions& options);

// Everything that an evaluation says of texts.
struct TextQuality {
  int64_t samples = 0;  // that were generated
  int64_t prompt_tokens = 0;
  int64_t max_new_tokens = 0;
  int64_t rare_below = 0;
  std::optional<double> rep_128 = std::nullopt;  // see RepetitionFigures
  std::optional<double> wrep_128 = std::nullopt;
  int64_t uniq = 0;
  TextFigures generated = {};                       // beside `human`
  TextFigures human = {};                           // beside `floor`
  std::optional<TextFigures> floor = std::nullopt;  // beside `human`; none: there is no such text
};

// Returns an object of JSON in one line: the fields under their names, what is none or not finite
// as null.
std::string to_json(const TextQuality& quality);

}  // namespace pdl
