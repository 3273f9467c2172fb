#include "pdl/quality/text_figures.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pdl/quality/divergence.h"
#include "pdl/quality/self_bleu.h"
#include "pdl/quality/words.h"

namespace pdl {
namespace {

using Json = nlohmann::ordered_json;

bool is_rare(const NgramCount& entry, const QualityOptions& options) {
  return options.training_counts[static_cast<size_t>(entry.ngram.front())] < options.rare_below;
}

std::optional<double> rare_share(const NgramCounts& ids, const QualityOptions& options) {
  if (ids.total == 0) return std::nullopt;
  int64_t rare = 0;
  for (const NgramCount& entry : ids.entries) rare += is_rare(entry, options) ? entry.count : 0;
  return static_cast<double>(rare) / static_cast<double>(ids.total);
}

std::optional<double> rare_coverage(const NgramCounts& ids, const NgramCounts& other,
                                    const QualityOptions& options) {
  int64_t rare = 0;
  int64_t covered = 0;
  for (const NgramCount& entry : other.entries) {
    if (!is_rare(entry, options)) continue;
    ++rare;
    covered += std::ranges::binary_search(ids.entries, entry.ngram, {}, &NgramCount::ngram) ? 1 : 0;
  }
  if (rare == 0) return std::nullopt;
  return static_cast<double>(covered) / static_cast<double>(rare);
}

std::optional<double> product(std::span<const std::optional<double>> factors) {
  double result = 1;
  for (const std::optional<double>& factor : factors) {
    if (!factor) return std::nullopt;
    result *= *factor;
  }
  return result;
}

void measure_words(const std::vector<std::string>& texts, TextFigures& figures) {
  const Samples samples = word_ids(texts);
  std::vector<int32_t> all;
  for (const std::vector<int32_t>& sample : samples)
    all.insert(all.end(), sample.begin(), sample.end());
  for (size_t i = 0; i < figures.word_distinct.size(); ++i)
    figures.word_distinct[i] = distinct_share(count_ngrams(samples, static_cast<int>(i) + 1));
  figures.words = std::ssize(all);
  figures.mattr = mattr(all);
  figures.mtld = mtld(all);
}

void compare(const Samples& samples, const Samples& other, const QualityOptions& options,
             TextFigures& figures) {
  const NgramCounts ids = count_ngrams(samples, 1);
  const NgramCounts other_ids = count_ngrams(other, 1);
  figures.js_unigram = jensen_shannon(ids, other_ids);
  figures.js_bigram = jensen_shannon(count_ngrams(samples, 2), count_ngrams(other, 2));
  figures.kl_unigram = smoothed_kl(other_ids, ids, std::ssize(options.training_counts));
  figures.rare_coverage = rare_coverage(ids, other_ids, options);
}

// nlohmann writes a number that is not finite as null.
Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json to_object(const TextFigures& figures) {
  Json object;
  for (size_t i = 0; i < figures.distinct.size(); ++i)
    object["distinct_" + std::to_string(i + 1)] = number(figures.distinct[i]);
  for (size_t i = 0; i < figures.seq_rep.size(); ++i)
    object["seq_rep_" + std::to_string(i + 2)] = number(figures.seq_rep[i].mean);
  for (size_t i = 0; i < figures.seq_rep.size(); ++i)
    object["seq_rep_" + std::to_string(i + 2) + "_skipped"] = figures.seq_rep[i].skipped;
  object["diversity"] = number(figures.diversity);
  object["self_bleu_4"] = number(figures.self_bleu_4);
  object["self_bleu_4_skipped"] = figures.self_bleu_4_skipped;
  object["zipf"] = number(figures.zipf);
  object["tokens"] = figures.tokens;
  object["js_unigram"] = number(figures.js_unigram);
  object["js_bigram"] = number(figures.js_bigram);
  object["kl_unigram"] = number(figures.kl_unigram);
  object["rare_share"] = number(figures.rare_share);
  object["rare_coverage"] = number(figures.rare_coverage);
  for (size_t i = 0; i < figures.word_distinct.size(); ++i)
    object["word_distinct_" + std::to_string(i + 1)] = number(figures.word_distinct[i]);
  object["words"] = figures.words;
  object["mattr"] = number(figures.mattr);
  object["mtld"] = number(figures.mtld);
  object["judge_nll"] = number(figures.judge_nll);
  return object;
}

}  // namespace

TextFigures measure_text(const TextSamples& samples, const TextSamples* other,
                         const QualityOptions& options) {
  TextFigures figures;
  for (size_t i = 0; i < figures.distinct.size(); ++i)
    figures.distinct[i] = distinct_share(count_ngrams(samples.ids, static_cast<int>(i) + 1));
  for (size_t i = 0; i < figures.seq_rep.size(); ++i)
    figures.seq_rep[i] = sequence_repetition(samples.ids, static_cast<int>(i) + 2);
  figures.diversity = product(std::span(figures.distinct).subspan(1));
  const SelfBleu bleu = self_bleu(samples.ids);
  figures.self_bleu_4 = bleu.mean;
  figures.self_bleu_4_skipped = bleu.skipped;
  const NgramCounts ids = count_ngrams(samples.ids, 1);
  figures.zipf = zipf_exponent(ids);
  figures.tokens = ids.total;
  figures.rare_share = rare_share(ids, options);
  if (other != nullptr) compare(samples.ids, other->ids, options, figures);
  measure_words(samples.texts, figures);
  return figures;
}

std::string to_json(const TextQuality& quality) {
  Json object;
  object["samples"] = quality.samples;
  object["prompt_tokens"] = quality.prompt_tokens;
  object["max_new_tokens"] = quality.max_new_tokens;
  object["rare_below"] = quality.rare_below;
  object["rep_128"] = number(quality.rep_128);
  object["wrep_128"] = number(quality.wrep_128);
  object["uniq"] = quality.uniq;
  object["generated"] = to_object(quality.generated);
  object["human"] = to_object(quality.human);
  object["floor"] = quality.floor ? to_object(*quality.floor) : Json(nullptr);
  return object.dump();
}

}  // namespace pdl
