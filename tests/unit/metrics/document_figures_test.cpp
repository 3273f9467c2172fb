#include "pdl/metrics/document_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "support/temp_folder.h"

namespace pdl {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A document whose targets are all in two bands.
DocumentFigures document(int64_t rare, int64_t frequent, const std::vector<double>& ce_sum) {
  DocumentFigures figures{.tokens = rare + frequent, .ce_sum = ce_sum, .bands = {}};
  for (BandSums& band : figures.bands) band.ce_sum.resize(ce_sum.size());
  figures.bands[1] = {.tokens = rare, .ce_sum = ce_sum};
  figures.bands[6].tokens = frequent;
  return figures;
}

DocumentTable small_table() {
  return {.taus = {-0.5, 0, 0.5},
          .documents = {document(1, 2, {3.25, 3, 2.75}), document(0, 0, {0, 0, 0}),
                        document(2, 0, {0.1 + 0.2, 1e-300, 12345678.9})}};
}

std::string message_of(const std::filesystem::path& path) {
  try {
    load_documents(path);
  } catch (const DataError& problem) {
    return problem.what();
  }
  return "loaded";
}

bool equal(double one, double other) {
  return one == other || (std::isnan(one) && std::isnan(other));
}

void expect_equal(const std::vector<double>& one, const std::vector<double>& other) {
  ASSERT_EQ(one.size(), other.size());
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(equal(one[i], other[i])) << one[i];
}

void expect_equal(const DocumentTable& one, const DocumentTable& other) {
  EXPECT_EQ(one.taus, other.taus);
  ASSERT_EQ(one.documents.size(), other.documents.size());
  for (size_t i = 0; i < one.documents.size(); ++i) {
    EXPECT_EQ(one.documents[i].tokens, other.documents[i].tokens);
    expect_equal(one.documents[i].ce_sum, other.documents[i].ce_sum);
    for (size_t band = 0; band < kFrequencyBands.size(); ++band) {
      EXPECT_EQ(one.documents[i].bands[band].tokens, other.documents[i].bands[band].tokens);
      expect_equal(one.documents[i].bands[band].ce_sum, other.documents[i].bands[band].ce_sum);
    }
  }
}

TEST(DocumentFiguresTest, HasThePublishedFormat) {
  const DocumentTable table{.taus = {-0.125, 0}, .documents = {document(1, 2, {3.5, 0.1})}};
  EXPECT_EQ(to_jsonl(table),
            R"({"document":0,"taus":[-0.125,0],"tokens":3,"ce_sum":[3.5,0.1],"bands":{)"
            R"("0":{"tokens":0,"ce_sum":[0,0]},"1-4":{"tokens":1,"ce_sum":[3.5,0.1]},)"
            R"("5-19":{"tokens":0,"ce_sum":[0,0]},"20-99":{"tokens":0,"ce_sum":[0,0]},)"
            R"("100-499":{"tokens":0,"ce_sum":[0,0]},"500-1999":{"tokens":0,"ce_sum":[0,0]},)"
            R"("2000+":{"tokens":2,"ce_sum":[0,0]}}})"
            "\n");
}

TEST(DocumentFiguresTest, ReadsBackEveryNumber) {
  const TempFolder folder;
  DocumentTable table = small_table();
  table.documents.push_back(document(3, 4, {kNan, -0.0, 1e308}));
  table.documents.push_back(document(3, 4, {5e-324, std::nextafter(1.0, 2.0), 9007199254740993.0}));
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    table.documents.push_back(document(1, 1,
                                       {random.uniform() * 100, std::exp(40 * random.uniform()),
                                        std::exp(-40 * random.uniform())}));
  }
  expect_equal(load_documents(folder.file("d.jsonl", to_jsonl(table))), table);
}

TEST(DocumentFiguresTest, WritesWhatIsNotFiniteAsNull) {
  const double infinity = std::numeric_limits<double>::infinity();
  const DocumentTable table{.taus = {0, 1, 2},
                            .documents = {document(1, 0, {infinity, kNan, -infinity})}};
  EXPECT_THAT(to_jsonl(table), HasSubstr(R"("tokens":1,"ce_sum":[null,null,null])"));
  EXPECT_EQ(json::parse(to_jsonl(table))["ce_sum"], json::array({nullptr, nullptr, nullptr}));
}

TEST(DocumentFiguresTest, AFileThatIsCutHoldsWholeLinesOrIsRefused) {
  const TempFolder folder;
  const std::string text = to_jsonl(small_table());
  int64_t loaded = 0;
  for (size_t size = 0; size < text.size(); ++size) {
    const bool is_near_end = text.substr(size, 3).find('\n') != std::string::npos ||
                             (size > 0 && text[size - 1] == '\n');
    if (!is_near_end && size % 7 != 0) continue;
    const std::string path = folder.file("d.jsonl", text.substr(0, size));
    const bool is_whole = size > 0 && (text[size - 1] == '\n' || text[size] == '\n');
    if (is_whole) {
      EXPECT_EQ(std::ssize(load_documents(path).documents), 1 + loaded++ / 2);
    } else {
      EXPECT_NE(message_of(path), "loaded") << size;
    }
  }
  EXPECT_EQ(loaded, 5);  // each line, with and without its newline, but not the whole text
}

TEST(DocumentFiguresTest, RefusesEveryMalformedLine) {
  const TempFolder folder;
  const std::string text = to_jsonl(small_table());
  const std::string first = text.substr(0, text.find('\n') + 1);
  const std::string second =
      text.substr(first.size(), text.find('\n', first.size()) - first.size());
  const json good = json::parse(second);
  std::vector<json> bad;
  for (const auto& [key, value] : good.items()) {
    json without = good;
    without.erase(key);
    bad.push_back(without);
    for (const json& wrong : {json(), json(-1), json(1.5), json("x"), json::array({1}),
                              json::object(), json(uint64_t{1} << 63)}) {
      json changed = good;
      changed[key] = wrong;
      bad.push_back(changed);
    }
  }
  for (const FrequencyBand& band : kFrequencyBands) {
    json without = good;
    without["bands"].erase(std::string(band.name));
    bad.push_back(without);
    for (const char* key : {"tokens", "ce_sum"}) {
      json changed = good;
      changed["bands"][std::string(band.name)].erase(key);
      bad.push_back(changed);
    }
    json more = good;
    more["bands"][std::string(band.name)]["tokens"] = 1;  // and the document's are not
    bad.push_back(more);
  }
  for (const json& sums : {json::array({1, 2}), json::array({1, 2, 3, 4}), json::array({1, 2, "3"}),
                           json::array({1, 2, json::array()}), json::array()}) {
    json changed = good;
    changed["ce_sum"] = sums;
    bad.push_back(changed);
    changed = good;
    changed["bands"]["0"]["ce_sum"] = sums;
    bad.push_back(changed);
  }
  for (const json& taus : {json::array({-0.5, 0, 0.25}), json::array({-0.5, 0})}) {
    json changed = good;
    changed["taus"] = taus;
    bad.push_back(changed);
  }
  json unknown = good;
  unknown["tau"] = 1;
  bad.push_back(unknown);
  unknown = good;
  unknown["bands"]["3"] = good["bands"]["0"];
  bad.push_back(unknown);
  for (const json& line : bad) {
    EXPECT_THAT(message_of(folder.file("d.jsonl", first + line.dump() + "\n")),
                AllOf(HasSubstr("d.jsonl"), HasSubstr("line 2: ")))
        << line;
  }
  for (const std::string& line :
       {std::string("\n"), std::string("{"), second + second, second + std::string(1, '\0'),
        std::string("[]"), std::string(100000, '['), std::string("\xff"),
        std::string(R"({"document":1,"document":1})"), std::string("NaN"),
        "\xef\xbb\xbf" + second}) {
    EXPECT_THAT(message_of(folder.file("d.jsonl", first + line + "\n")), HasSubstr("line 2: "))
        << line.substr(0, 100);
  }
  EXPECT_EQ(message_of(folder.file("d.jsonl", first + second + "\n")), "loaded");
}

TEST(DocumentFiguresTest, RefusesTausThatDoNotIncreaseAndNumbersBeyondDouble) {
  const TempFolder folder;
  json line = json::parse(to_jsonl({.taus = {0, 1}, .documents = {document(1, 0, {1, 2})}}));
  for (const json& taus : {json::array({1, 0}), json::array({0, 0}), json::array({0, nullptr})}) {
    line["taus"] = taus;
    EXPECT_THAT(message_of(folder.file("d.jsonl", line.dump())), HasSubstr("taus"));
  }
  EXPECT_THAT(message_of(folder.file("d.jsonl", R"({"document":0,"taus":[]})")), HasSubstr("taus"));
  EXPECT_THAT(message_of(folder.file("d.jsonl", R"({"document":0,"taus":[1e400]})")),
              HasSubstr("line 1: "));
}

TEST(DocumentFiguresTest, RefusesLinesThatAreMissingDoubledOrMisplaced) {
  const TempFolder folder;
  const std::string text = to_jsonl(small_table());
  const size_t end = text.find('\n') + 1;
  const std::string first = text.substr(0, end);
  const std::string rest = text.substr(end);
  EXPECT_THAT(message_of(folder.file("d.jsonl", rest)), HasSubstr("document is 1, not 0"));
  EXPECT_THAT(message_of(folder.file("d.jsonl", first + first + rest)),
              HasSubstr("line 2: document is 0, not 1"));
  EXPECT_THAT(message_of(folder.file("d.jsonl", rest + first)), HasSubstr("line 1: "));
}

TEST(DocumentFiguresTest, RefusesWhatIsNoFileOfDocuments) {
  const TempFolder folder;
  EXPECT_THAT(message_of(folder / "none.jsonl"), HasSubstr("none.jsonl"));
  EXPECT_THAT(message_of(folder.path()), HasSubstr("is a folder"));
  EXPECT_THAT(message_of(folder.file("d.jsonl", "")), HasSubstr("is empty"));
}

}  // namespace
}  // namespace pdl
