#include "pdl/comparison/bias_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pdl/base/error.h"
#include "run_folders.h"

namespace pdl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BiasSumsTest, HalvesAreTheDocumentsByTheirNumbers) {
  const DocumentTable table = made_documents({}, 5);
  const HalfSums halves = sum_halves(to_run_documents(table));
  for (size_t half = 0; half < 2; ++half) {
    CeSums expected{.ce = std::vector<double>(5), .rare_ce = std::vector<double>(5)};
    for (size_t i = half; i < 5; i += 2) {
      const DocumentFigures& document = table.documents[i];
      expected.tokens += document.tokens;
      for (size_t tau = 0; tau < 5; ++tau) expected.ce[tau] += document.ce_sum[tau];
      for (size_t band = 0; band < 5; ++band) {  // counted below 500
        expected.rare_tokens += document.bands[band].tokens;
        for (size_t tau = 0; tau < 5; ++tau)
          expected.rare_ce[tau] += document.bands[band].ce_sum[tau];
      }
    }
    EXPECT_EQ(halves[half].tokens, expected.tokens);
    EXPECT_EQ(halves[half].rare_tokens, expected.rare_tokens);
    for (size_t tau = 0; tau < 5; ++tau) {
      EXPECT_DOUBLE_EQ(halves[half].ce[tau], expected.ce[tau]);
      EXPECT_NEAR(halves[half].rare_ce[tau], expected.rare_ce[tau], 1e-9);
    }
  }
}

TEST(BiasSumsTest, EachHalfTakesTheTauOfTheOther) {
  const HalfSums halves = {CeSums{.ce = {3, 2, 1}, .rare_ce = {}},
                           CeSums{.ce = {1, 2, 3}, .rare_ce = {}}};
  EXPECT_THAT(cross_fitted_taus({-1, 0, 1}, halves), ElementsAre(0, 2));
}

TEST(BiasSumsTest, TauZeroIsFoundDespiteRounding) {
  EXPECT_EQ(index_of_tau_zero({-1, 0, 1}), 1U);
  EXPECT_EQ(index_of_tau_zero({-0.3, -0.3 + 3 * 0.1, 1}), 1U);
  EXPECT_EQ(index_of_tau_zero({-1, 0.1, 1}), std::nullopt);
  EXPECT_EQ(index_of_tau_zero({}), std::nullopt);
}

TEST(BiasSumsTest, TargetsInOneHalfAloneAreRefused) {
  const TempFolder folder;
  const auto refusal = [&](const std::string& content) -> std::string {
    folder.file("documents.jsonl", content);
    try {
      require_two_halves(folder.path());
    } catch (const DataError& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(to_jsonl(made_documents({}, 2))), "");
  EXPECT_THAT(refusal(to_jsonl(made_documents({}, 1))), HasSubstr("documents with odd numbers"));
  DocumentTable table = made_documents({}, 3);
  for (const size_t emptied : {size_t{0}, size_t{2}}) {
    DocumentFigures& document = table.documents[emptied];
    document.tokens = 0;
    for (BandSums& band : document.bands) band.tokens = 0;
  }
  EXPECT_THAT(refusal(to_jsonl(table)), HasSubstr("documents with even numbers"));
  EXPECT_THAT(refusal("{"), HasSubstr("documents.jsonl"));
  std::filesystem::remove(folder / "documents.jsonl");
  EXPECT_THROW(require_two_halves(folder.path()), DataError);
}

}  // namespace
}  // namespace pdl
