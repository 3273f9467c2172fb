#include "pdl/metrics/document_figures.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"

namespace pdl {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 53;

// ------------------------------------------------------------------ writing

template <class Number>
void append_number(std::string& text, Number value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  text.append(buffer.data(), result.ptr);
}

void append(std::string& text, const std::vector<double>& values) {
  std::string_view separator = "[";
  for (const double value : values) {
    text += separator;
    separator = ",";
    if (std::isfinite(value)) {
      append_number(text, value);
    } else {
      text += "null";
    }
  }
  text += values.empty() ? "[]" : "]";
}

// Without the brace at the end, because a document has bands, too.
void append_sums(std::string& text, int64_t tokens, const std::vector<double>& ce_sum) {
  text += "\"tokens\":";
  append_number(text, tokens);
  text += ",\"ce_sum\":";
  append(text, ce_sum);
}

void append_bands(std::string& text, const DocumentFigures& document) {
  std::string_view separator = "{";
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    text += separator;
    separator = ",";
    text += "\"" + std::string(kFrequencyBands[i].name) + "\":{";
    append_sums(text, document.bands[i].tokens, document.bands[i].ce_sum);
    text += '}';
  }
  text += '}';
}

// ------------------------------------------------------------------ reading

// A list of one sum for each tau; null is NaN.
std::vector<double> read_sums(ObjectReader& object, size_t num_taus) {
  constexpr std::string_view kKey = "ce_sum";
  const std::vector<JsonValue>& items = object.required(kKey, JsonValue::Kind::kArray).items();
  if (items.size() != num_taus) {
    object.fail_at(kKey, "has " + std::to_string(items.size()) + " numbers for " +
                             std::to_string(num_taus) + " taus");
  }
  std::vector<double> sums;
  sums.reserve(items.size());
  for (const JsonValue& item : items) {
    const bool is_null = item.is(JsonValue::Kind::kNull);
    if (!is_null && !item.is_number()) {
      object.fail_at(element_place(kKey, sums.size()),
                     "is " + describe(item) + ", not a number or null");
    }
    sums.push_back(is_null ? std::numeric_limits<double>::quiet_NaN() : item.number());
  }
  return sums;
}

BandSums read_band(ObjectReader band, size_t num_taus) {
  BandSums sums;
  sums.tokens = band.integer("tokens", 0, kMaxTokens);
  sums.ce_sum = read_sums(band, num_taus);
  band.finish();
  return sums;
}

void read_bands(ObjectReader& line, DocumentFigures& document) {
  ObjectReader bands = line.object("bands");
  int64_t tokens = 0;
  for (size_t i = 0; i < kFrequencyBands.size(); ++i) {
    document.bands[i] = read_band(bands.object(kFrequencyBands[i].name), document.ce_sum.size());
    tokens += document.bands[i].tokens;
  }
  bands.finish();
  if (tokens != document.tokens) {
    line.fail_at("tokens", "is " + std::to_string(document.tokens) + ", but the bands have " +
                               std::to_string(tokens) + " tokens");
  }
}

void read_taus(ObjectReader& line, DocumentTable& table) {
  std::vector<double> taus = line.numbers("taus");
  if (table.documents.empty()) {
    const bool is_increasing =
        std::adjacent_find(taus.begin(), taus.end(), std::greater_equal<>()) == taus.end();
    if (taus.empty() || !is_increasing) {
      line.fail_at("taus", "is not a list of increasing numbers");
    }
    table.taus = std::move(taus);
  } else if (taus != table.taus) {
    line.fail_at("taus", "differs from that of line 1");
  }
}

void read_line(std::string_view text, const JsonBlame& blame, DocumentTable& table) {
  const JsonValue root = parse_json(text, {}, blame);
  ObjectReader line(root, blame);
  const int64_t index = line.integer("document");
  if (index != std::ssize(table.documents)) {
    line.fail_at("document", "is " + std::to_string(index) + ", not " +
                                 std::to_string(table.documents.size()) +
                                 ": a line is missing, doubled or misplaced");
  }
  read_taus(line, table);
  DocumentFigures document;
  document.tokens = line.integer("tokens", 0, kMaxTokens);
  document.ce_sum = read_sums(line, table.taus.size());
  read_bands(line, document);
  line.finish();
  table.documents.push_back(std::move(document));
}

}  // namespace

std::string to_jsonl(const DocumentTable& table) {
  std::string text;
  for (size_t i = 0; i < table.documents.size(); ++i) {
    const DocumentFigures& document = table.documents[i];
    text += "{\"document\":";
    append_number(text, i);
    text += ",\"taus\":";
    append(text, table.taus);
    text += ',';
    append_sums(text, document.tokens, document.ce_sum);
    text += ",\"bands\":";
    append_bands(text, document);
    text += "}\n";
  }
  return text;
}

DocumentTable load_documents(const std::filesystem::path& path) {
  const std::string content = read_file<DataError>("file of documents", path);
  const std::string begin = "file of documents '" + path.string() + "' cannot be used: ";
  DocumentTable table;
  std::string_view rest = content;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string line_name = "line " + std::to_string(table.documents.size() + 1) + ": ";
    read_line(rest.substr(0, end), JsonBlame::of<DataError>(begin + line_name), table);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (table.documents.empty()) throw DataError(begin + "it is empty");
  return table;
}

}  // namespace pdl
