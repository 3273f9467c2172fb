#include "pdl/quality/text_figures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace pdl {
namespace {

const std::vector<int64_t> kCounts = {0, 4, 5, 100, 1};
const QualityOptions kOptions{.training_counts = kCounts, .rare_below = 5};

TEST(MeasureTextTest, RareIsWhatWasTrainedOnLessOften) {
  const TextSamples text{.ids = {{0, 2, 2}, {1, 3}}, .texts = {"", ""}};
  const TextSamples other{.ids = {{1, 1, 4, 0}, {3}}, .texts = {"", ""}};
  const TextFigures figures = measure_text(text, &other, kOptions);
  EXPECT_EQ(figures.rare_share, 2.0 / 5);     // 0 and 1
  EXPECT_EQ(figures.rare_coverage, 2.0 / 3);  // of 1, 4 and 0 all but 4
  const TextSamples frequent{.ids = {{3, 3}}, .texts = {""}};
  EXPECT_EQ(measure_text(frequent, &other, kOptions).rare_share, 0);
  EXPECT_EQ(measure_text(frequent, &other, kOptions).rare_coverage, 0);
  EXPECT_FALSE(measure_text(text, &frequent, kOptions).rare_coverage.has_value());
}

TEST(MeasureTextTest, DiversityIsPooled) {
  // Distinct pairs 3 of 5, threes 3 of 3, fours 1 of 1.
  const TextSamples text{.ids = {{1, 2, 1, 2}, {1, 2}, {1, 3}}, .texts = {"", "", ""}};
  const TextFigures figures = measure_text(text, nullptr, kOptions);
  EXPECT_EQ(figures.distinct[0], 3.0 / 8);
  EXPECT_EQ(figures.distinct[1], 3.0 / 5);
  EXPECT_NEAR(figures.diversity.value(), 3.0 / 5, 1e-15);
  EXPECT_NEAR(figures.seq_rep[0].mean.value(), 1.0 / 9, 1e-15);
  EXPECT_EQ(figures.seq_rep[2].skipped, 2);
  EXPECT_EQ(figures.tokens, 8);
}

TEST(MeasureTextTest, WordsDoNotCrossSamplesButRunOnForMattr) {
  const TextSamples text{.ids = {{1}, {1}}, .texts = {"one two", "One, three!"}};
  const TextFigures figures = measure_text(text, nullptr, kOptions);
  EXPECT_EQ(figures.words, 4);
  EXPECT_EQ(figures.word_distinct[0], 3.0 / 4);
  EXPECT_EQ(figures.word_distinct[1], 1);  // 2 of 2
  EXPECT_EQ(figures.mattr, 3.0 / 4);
  EXPECT_NEAR(figures.mtld.value(), (4 + 4 / (0.25 / 0.28)) / 2, 1e-12);  // there and back
}

TEST(MeasureTextTest, NothingComparesWithoutAnotherText) {
  const TextSamples text{.ids = {{1, 2, 3, 4}}, .texts = {"a b"}};
  const TextFigures figures = measure_text(text, nullptr, kOptions);
  EXPECT_FALSE(figures.js_unigram.has_value());
  EXPECT_FALSE(figures.js_bigram.has_value());
  EXPECT_FALSE(figures.kl_unigram.has_value());
  EXPECT_FALSE(figures.rare_coverage.has_value());
  EXPECT_FALSE(figures.self_bleu_4.has_value());  // one sample
  EXPECT_TRUE(figures.rare_share.has_value());
}

TEST(MeasureTextTest, KlIsOfTheOtherToThis) {
  const TextSamples text{.ids = {{0}}, .texts = {""}};
  const TextSamples other{.ids = {{1, 1, 1, 2}}, .texts = {""}};
  const TextFigures figures = measure_text(text, &other, kOptions);
  // Of five ids: other (1, 4, 2, 1, 1) / 9, this (2, 1, 1, 1, 1) / 6.
  double expected = 0;
  const std::vector<double> p = {1, 4, 2, 1, 1};
  const std::vector<double> q = {2, 1, 1, 1, 1};
  for (size_t i = 0; i < p.size(); ++i) expected += p[i] / 9 * std::log(p[i] / 9 / (q[i] / 6));
  EXPECT_NEAR(figures.kl_unigram.value(), expected, 1e-15);
}

TEST(MeasureTextTest, OfNothingEverythingIsNone) {
  for (const TextSamples& nothing :
       {TextSamples{}, TextSamples{.ids = {{}, {}}, .texts = {"", "..."}}}) {
    const TextSamples other{.ids = {{1, 3}}, .texts = {"a"}};
    TextQuality quality{.generated = measure_text(nothing, &other, kOptions)};
    const auto object = nlohmann::json::parse(to_json(quality))["generated"];
    for (const auto& [name, value] : object.items()) {
      const bool is_number = name == "tokens" || name == "words" || name.ends_with("_skipped");
      if (name == "rare_coverage") {
        EXPECT_EQ(value, 0);
      } else if (is_number) {
        EXPECT_EQ(value, name.ends_with("_skipped") ? std::ssize(nothing.ids) : 0) << name;
      } else {
        EXPECT_TRUE(value.is_null()) << name << " " << value;
      }
    }
  }
}

TEST(TextQualityJsonTest, HasEveryNameAndNullForWhatIsNotFinite) {
  TextQuality quality;
  quality.generated.judge_nll = std::numeric_limits<double>::infinity();
  quality.human.judge_nll = 0.1;
  const std::string text = to_json(quality);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto object = nlohmann::ordered_json::parse(text);
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"samples", "prompt_tokens", "max_new_tokens",
                                             "rare_below", "rep_128", "wrep_128", "uniq",
                                             "generated", "human", "floor"}));
  EXPECT_TRUE(object["floor"].is_null());
  EXPECT_TRUE(object["generated"]["judge_nll"].is_null());
  EXPECT_EQ(object["human"]["judge_nll"], 0.1);
  EXPECT_EQ(object["human"].size(), 26u);
}

}  // namespace
}  // namespace pdl
