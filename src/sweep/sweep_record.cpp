#include "pdl/sweep/sweep_record.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/text_format.h"

namespace pdl {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "pdl-sweep";
constexpr int64_t kVersion = 1;
constexpr int64_t kMaxExitCode = 255;

// In the order of CellState.
constexpr std::array<std::string_view, 6> kStateNames = {"waiting",    "running",     "finished",
                                                         "time_limit", "interrupted", "failed"};

auto order_of(const CellRecord& record) {
  return std::tuple(record.cell.alpha, record.cell.learning_rate, record.cell.seed);
}

CellState read_state(ObjectReader& reader) {
  const std::string& name = reader.string("state");
  const auto found = std::find(kStateNames.begin(), kStateNames.end(), name);
  if (found == kStateNames.end()) reader.fail_at("state", "is no state of a cell");
  return static_cast<CellState>(found - kStateNames.begin());
}

double read_size(ObjectReader& reader, std::string_view key) {
  const double value = reader.number(key);
  if (!std::isfinite(value) || value < 0) reader.fail_at(key, "is no number of at least 0");
  return value;
}

CellRecord read_cell(ObjectReader reader) {
  CellRecord record;
  SweepCell& cell = record.cell;
  cell.alpha = read_size(reader, "alpha");
  cell.seed = reader.integer("seed", 0);
  cell.learning_rate = read_size(reader, "learning_rate");
  cell.folder = reader.string("folder");
  // So that no path leads out of the sweep's folder.
  if (cell.folder != cell_folder(cell, false) && cell.folder != cell_folder(cell, true))
    reader.fail_at("folder", "is not that of its alpha, learning rate and seed");
  record.state = read_state(reader);
  if (reader.find("exit_code") != nullptr)
    record.exit_code = static_cast<int>(reader.integer("exit_code", 0, kMaxExitCode));
  reader.finish();
  return record;
}

Json to_object(const CellRecord& record) {
  return {{"alpha", record.cell.alpha},
          {"seed", record.cell.seed},
          {"learning_rate", record.cell.learning_rate},
          {"folder", record.cell.folder},
          {"state", name_of(record.state)},
          {"exit_code", record.exit_code ? Json(*record.exit_code) : Json(nullptr)}};
}

bool contains(const std::vector<SweepCell>& cells, const SweepCell& cell) {
  return std::ranges::any_of(cells, [&](const SweepCell& one) { return one.is_same_run(cell); });
}

}  // namespace

std::string_view name_of(CellState state) { return kStateNames.at(static_cast<size_t>(state)); }

SweepRecord::SweepRecord(std::string_view text, const std::filesystem::path& path) {
  const JsonBlame blame = JsonBlame::of<DataError>("'" + path.string() +
                                                   "' cannot be used (moved away, it is made "
                                                   "anew): ");
  const JsonValue value = parse_json(text, JsonRules{}, blame);
  ObjectReader root(value, blame);
  if (root.string("format") != kFormat) root.fail_at("format", "is not pdl-sweep");
  if (root.integer("version") != kVersion) root.fail_at("version", "is not 1");
  root.integer("exit_code", 0, kMaxExitCode);  // follows from the cells
  const std::vector<JsonValue>& items = root.required("cells", JsonValue::Kind::kArray).items();
  root.finish();
  std::set<std::string_view> folders;
  for (size_t i = 0; i < items.size(); ++i) {
    cells_.push_back(read_cell(ObjectReader(items[i], blame, element_place("cells", i))));
  }
  for (const CellRecord& record : cells_) {
    if (!folders.insert(record.cell.folder).second)
      root.fail_at("cells", "holds " + record.cell.folder + " twice");
  }
  std::ranges::sort(cells_, {}, order_of);
  const auto repeated =
      std::ranges::adjacent_find(cells_, [](const CellRecord& one, const CellRecord& other) {
        return one.cell.is_same_run(other.cell);
      });
  if (repeated != cells_.end())
    root.fail_at("cells", "holds the run of " + repeated->cell.folder + " twice");
}

std::string SweepRecord::json() const {
  Json root = {{"format", kFormat},
               {"version", kVersion},
               {"exit_code", exit_code()},
               {"cells", Json::array()}};
  for (const CellRecord& record : cells_) root["cells"].push_back(to_object(record));
  return root.dump(2) + "\n";
}

int SweepRecord::exit_code() const {
  int largest = 0;
  for (const CellRecord& record : cells_) largest = std::max(largest, record.exit_code.value_or(0));
  return largest;
}

std::vector<SweepCell> SweepRecord::add(const std::vector<SweepCell>& planned) {
  std::erase_if(cells_, [&](const CellRecord& record) {
    return record.state == CellState::kWaiting && !contains(planned, record.cell);
  });
  std::vector<SweepCell> placed;
  for (const SweepCell& cell : planned) {
    if (const CellRecord* known = find(cell)) {
      placed.push_back(known->cell);
      continue;
    }
    for (const CellRecord& other : cells_) {
      if (other.cell.folder != cell.folder) continue;
      const std::string rate = shortest_decimal(other.cell.learning_rate);
      throw ConfigError("learning_rate: this sweep was begun with " + rate + ", not with " +
                        shortest_decimal(cell.learning_rate) +
                        "; give both to add a rate, or choose another output_dir");
    }
    insert({.cell = cell});
    placed.push_back(cell);
  }
  return placed;
}

void SweepRecord::set(const CellRecord& record) {
  if (CellRecord* known = find(record.cell)) {
    *known = record;
  } else {
    insert(record);
  }
}

CellRecord* SweepRecord::find(const SweepCell& cell) {
  const auto found = std::ranges::find_if(
      cells_, [&](const CellRecord& record) { return record.cell.is_same_run(cell); });
  return found == cells_.end() ? nullptr : &*found;
}

void SweepRecord::insert(const CellRecord& record) {
  const auto place = std::ranges::find_if(
      cells_, [&](const CellRecord& other) { return order_of(record) < order_of(other); });
  cells_.insert(place, record);
}

}  // namespace pdl
