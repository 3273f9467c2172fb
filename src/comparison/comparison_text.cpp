// A comparison as JSON and as a table.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "pdl/base/text_format.h"
#include "pdl/comparison/comparison.h"
#include "run_list.h"

namespace pdl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;

template <class Number>
Json or_null(const std::optional<Number>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json figure_json(const SeedFigure& figure) {
  Json object;
  object["per_seed"] = figure.per_seed;
  object["mean"] = figure.mean;
  object["low"] = or_null(figure.low);
  object["high"] = or_null(figure.high);
  object["document_sd"] = figure.document_sd;
  return object;
}

Json arm_json(const ArmComparison& arm) {
  Json object;
  object["alpha"] = arm.alpha;
  object["seeds"] = arm.seeds;
  object["verdict"] = name_of(arm.verdict);
  object["seeds_needed"] = or_null(arm.seeds_needed);
  object["G"] = figure_json(arm.g);
  object["R"] = arm.r ? figure_json(*arm.r) : Json(nullptr);
  return object;
}

// ------------------------------------------------------------------ table

constexpr size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;

std::string nats(double value) { return (value < 0 ? "" : "+") + fixed(value, 4); }

std::string interval_text(const SeedFigure& figure) {
  if (!figure.low || !figure.high) return "none";
  return nats(*figure.low) + " to " + nats(*figure.high);
}

std::string verdict_text(const ArmComparison& arm) {
  std::string text(name_of(arm.verdict));
  if (arm.seeds_needed) text += " (" + grouped(*arm.seeds_needed) + " seeds needed)";
  return text;
}

Row row_of(const ArmComparison& arm) {
  Row row = {shortest_decimal(arm.alpha),
             std::to_string(arm.seeds.size()),
             nats(arm.g.mean),
             interval_text(arm.g),
             fixed(arm.g.document_sd, 4),
             "none",
             "",
             "",
             verdict_text(arm)};
  if (arm.r) {
    row[5] = nats(arm.r->mean);
    row[6] = interval_text(*arm.r);
    row[7] = fixed(arm.r->document_sd, 4);
  }
  return row;
}

std::string aligned(const std::vector<Row>& rows) {
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i + 1 < kColumns; ++i) {
      text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    text += row.back() + "\n";
  }
  return text;
}

}  // namespace

std::string to_json(const Comparison& comparison) {
  Json object;
  object["format"] = "pdl-comparison";
  object["version"] = kFormatVersion;
  object["delta"] = comparison.delta;
  object["rare_below"] = comparison.rare_below;
  object["arms"] = Json::array();
  for (const ArmComparison& arm : comparison.arms) object["arms"].push_back(arm_json(arm));
  return object.dump() + "\n";
}

std::string to_table(const Comparison& comparison) {
  std::vector<Row> rows = {{"alpha", "seeds", "G", "95 % interval", "documents", "R",
                            "95 % interval", "documents", "verdict"}};
  for (const ArmComparison& arm : comparison.arms) rows.push_back(row_of(arm));
  std::string text = aligned(rows);
  text += "\nG: cross-entropy less that of alpha 0, each with its best bias; below 0 is better\n";
  text += "R: how much lower the cross-entropy of rare targets (training count below " +
          std::to_string(comparison.rare_below) +
          ") is\n   than that of alpha 0 with as much bias; above 0 is better\n";
  text +=
      "documents: deviation if other documents were drawn; not in the interval, which is over "
      "seeds\n";
  text += "in nats; a difference within " + fixed(comparison.delta, 2) + " is none\n";
  for (const UnpairedRun& run : comparison.unpaired) {
    text += "left out: " + describe(run) + "\n";
  }
  return text;
}

std::string describe(const UnpairedRun& run) {
  return "alpha " + shortest_decimal(run.alpha) + ", seed " + std::to_string(run.seed) +
         ": no run of " + (run.alpha == 0 ? "another alpha" : "alpha 0") + " has this seed";
}

}  // namespace pdl
