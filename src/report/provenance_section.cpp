#include <algorithm>
#include <array>
#include <set>

#include "markup.h"
#include "pdl/base/text_format.h"
#include "sections.h"

namespace pdl::report {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;  // name, value
using ValuesOf = const Values& (*)(const RunData& run);

// In which runs differ because they are other runs; the table of runs has the first two.
constexpr std::array<std::string_view, 3> kOwnKeys = {"pdl_alpha", "seed", "output_dir"};

const std::string* value_of(const Values& values, const std::string& name) {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const auto& value) { return value.first == name; });
  return found == values.end() ? nullptr : &found->second;
}

// All names, in the order in which they first appear.
std::vector<std::string> names_of(const std::vector<RunData>& runs, ValuesOf values_of) {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const RunData& run : runs) {
    for (const auto& [name, value] : values_of(run)) {
      if (known.insert(name).second) names.push_back(name);
    }
  }
  return names;
}

// The values of `name` and the runs that have each, by the first run.
std::vector<std::pair<std::string, std::vector<std::string>>> runs_by_value(
    const std::vector<RunData>& runs, ValuesOf values_of, const std::string& name) {
  std::vector<std::pair<std::string, std::vector<std::string>>> result;
  for (const RunData& run : runs) {
    const std::string* found = value_of(values_of(run), name);
    const std::string value = found == nullptr ? "(not there)" : *found;
    auto place = std::find_if(result.begin(), result.end(),
                              [&](const auto& entry) { return entry.first == value; });
    if (place == result.end()) place = result.insert(result.end(), {value, {}});
    place->second.push_back(run.name);
  }
  return result;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Names with their values: where runs differ, each value with the runs that have it.
Table values_table(const std::vector<RunData>& runs, ValuesOf values_of,
                   const std::vector<std::string>& names, const std::string& caption) {
  Table table{.caption = caption, .head = {"name", "value"}, .rows = {}};
  for (const std::string& name : names) {
    const auto by_value = runs_by_value(runs, values_of, name);
    Cell cell;
    for (const auto& [value, of_runs] : by_value) {
      if (!cell.html.empty()) cell.html += "<br>";
      cell.html += escape(value);
      if (by_value.size() > 1) cell.html += " <i>in " + escape(joined(of_runs)) + "</i>";
    }
    table.rows.push_back({text_cell(name), cell});
  }
  return table;
}

const Values& config_of(const RunData& run) { return run.config; }
const Values& versions_of(const RunData& run) { return run.versions; }

bool is_own(const std::string& key) {
  return std::find(kOwnKeys.begin(), kOwnKeys.end(), key) != kOwnKeys.end();
}

std::string config_html(const std::vector<RunData>& runs) {
  std::vector<std::string> differing;
  std::vector<std::string> common;
  for (const std::string& key : names_of(runs, config_of)) {
    if (runs.size() > 1 && is_own(key)) continue;
    const bool differs = runs_by_value(runs, config_of, key).size() > 1;
    (differs ? differing : common).push_back(key);
  }
  std::string html;
  if (!differing.empty()) {
    html += to_html(values_table(runs, config_of, differing,
                                 "Keys of config.json that differ, beside alpha, seed and folder"));
  } else if (runs.size() > 1) {
    html += paragraph("The configs differ in nothing but alpha, seed and folder.");
  }
  if (!common.empty()) {
    const std::string caption =
        runs.size() > 1 ? "Keys that all runs share" : "Keys of config.json";
    html += details(caption, to_html(values_table(runs, config_of, common, caption)));
  }
  return html;
}

std::string versions_html(const std::vector<RunData>& runs) {
  const std::vector<std::string> names = names_of(runs, versions_of);
  if (names.empty()) return "";
  return to_html(values_table(runs, versions_of, names, "Versions"));
}

std::string hashes_html(const std::vector<RunData>& runs) {
  Table table{.caption = "SHA-256 of the files", .head = {"run", "file", "SHA-256"}, .rows = {}};
  for (const RunData& run : runs) {
    for (const auto& [file, hash] : run.hashes) {
      table.rows.push_back({text_cell(run.name),
                            text_cell(file),
                            {.html = "<code>" + escape(hash) + "</code>", .is_number = false}});
    }
  }
  return table.rows.empty() ? "" : details("SHA-256 of the files", to_html(table));
}

// As a shell reads it.
std::string quoted(const std::string& text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._=+-").find(c) != std::string_view::npos;
  });
  if (is_plain && !text.empty()) return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "'\\''" : std::string(1, c);
  return result + "'";
}

std::string commands_html(const PageData& page) {
  std::string all;
  for (const RunData& run : page.runs) all += " " + quoted(run.name);
  const std::string again =
      "pdl-train --config " + quoted(page.runs.front().name + "/config.json") + " --output_dir NEW";
  std::string html =
      paragraph("From the folder that holds the runs, the first run once more, and this page:");
  html += "<p class=\"text\"><code>" + escape(again) + "</code></p>\n<p class=\"text\"><code>" +
          escape("pdl-train report" + all) + "</code></p>\n";
  return html;
}

// "1,234", or with fewer that are trained "1,234, of which 12 are trained".
std::string parameters_text(const RunData& run) {
  if (!run.start) return std::string(kNone);
  const auto& [all, trained] = std::pair(run.start->parameters, run.start->trainable_parameters);
  if (!trained || trained == all) return count(all);
  return count(all) + ", of which " + count(trained) + " are trained";
}

std::vector<std::pair<std::string, Cell>> facts_of(const RunData& run) {
  const auto ce = run.evals.empty() ? std::nullopt : run.evals.back().ce;
  const auto best = run.documents ? best_ce(*run.documents).all : std::nullopt;
  const auto or_none = [](bool is_known, const std::string& text) {
    return number_cell(is_known ? text : std::string(kNone));
  };
  return {{"alpha", or_none(run.alpha.has_value(), shortest_decimal(run.alpha.value_or(0)))},
          {"seed", or_none(run.seed.has_value(), std::to_string(run.seed.value_or(0)))},
          {"status", text_cell(run.status)},
          {"steps", number_cell(count(run.steps))},
          {"eval ce", number_cell(decimals(ce, 3))},
          {"best tau", or_none(run.documents.has_value(),
                               run.documents ? shortest_decimal(best_tau_of(*run.documents)) : "")},
          {"ce, best tau", number_cell(decimals(best, 3))},
          {"targets", number_cell(count(run.num_tokens))},
          {"parameters", number_cell(parameters_text(run))},
          {"time", or_none(run.wall_seconds.has_value(), duration(run.wall_seconds.value_or(0)))},
          {"computed on", text_cell(run.compute)}};
}

}  // namespace

std::string runs_section(const PageData& page) {
  Table table{.caption = "Runs", .head = {"run"}, .rows = {}};
  for (const RunData& run : page.runs) {
    std::vector<Cell>& row = table.rows.emplace_back();
    row.push_back(text_cell(run.name));
    for (const auto& [name, cell] : facts_of(run)) {
      if (table.rows.size() == 1) table.head.push_back(name);
      row.push_back(cell);
    }
  }
  if (!page.is_one_run()) return section("runs", "The runs", to_html(table));
  Table facts{.caption = "Run " + page.runs.front().name, .head = {"fact", "value"}, .rows = {}};
  for (auto& [name, cell] : facts_of(page.runs.front())) {
    cell.is_number = false;
    facts.rows.push_back({text_cell(name), cell});
  }
  return section("runs", "The run", to_html(facts));
}

std::string provenance_section(const PageData& page) {
  return section("provenance", "Provenance",
                 config_html(page.runs) + versions_html(page.runs) + hashes_html(page.runs) +
                     commands_html(page));
}

}  // namespace pdl::report
