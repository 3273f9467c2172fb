#include "pdl/report/report.h"

#include <array>
#include <utility>

#include "markup.h"
#include "page_data.h"
#include "page_style.h"
#include "pdl/base/file.h"
#include "pdl/metrics/run_files.h"
#include "sections.h"

namespace pdl {
namespace {

using report::PageData;

// Links to the sections that the page has.
std::string navigation(const std::string& body) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kSections = {
      {{"arms", "Arms"},
       {"bias", "Bias"},
       {"seeds", "Seeds"},
       {"bands", "Bands"},
       {"weights", "Weights"},
       {"text", "Text"},
       {"samples", "Samples"},
       {"curves", "Curves"},
       {"runs", "Runs"},
       {"provenance", "Provenance"}}};
  std::string links;
  for (const auto& [id, name] : kSections) {
    const std::string section = "<section id=\"" + std::string(id) + "\">";
    if (body.find(section) == std::string::npos) continue;
    links += "<a href=\"#" + std::string(id) + "\">" + std::string(name) + "</a>\n";
  }
  return "<nav aria-label=\"Sections\">\n" + links + "</nav>\n";
}

std::string sections_of(const PageData& page) {
  using namespace report;
  std::string html;
  // Runs that are not compared stand side by side first.
  if (!page.comparison) html += runs_section(page);
  html += arms_section(page) + bias_section(page) + seeds_section(page) + bands_section(page) +
          weights_section(page) + text_section(page) + samples_section(page) + curves_section(page);
  if (page.comparison) html += runs_section(page);
  return html + provenance_section(page);
}

}  // namespace

std::string report_page(const std::vector<std::filesystem::path>& folders) {
  const PageData page = report::load_page_data(folders);
  const report::VerdictText verdict = report::verdict_text(page);
  const std::string body = sections_of(page);
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += "<title>" + report::escape(verdict.title) + " – pdl-train report</title>\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += "<meta name=\"color-scheme\" content=\"light dark\">\n<style>\n";
  html += report::kStyle;
  html += "</style>\n</head>\n<body>\n<main>\n<h1>" + report::escape(verdict.heading) + "</h1>\n";
  html += "<p class=\"verdict\">" + report::escape(verdict.sentence) + "</p>\n";
  html += report::verdict_details(page) + navigation(body) + body;
  return html + "</main>\n</body>\n</html>\n";
}

void write_report(const std::vector<std::filesystem::path>& folders,
                  const std::filesystem::path& file) {
  write_file_durably(file, report_page(folders));
}

void write_run_report(const std::filesystem::path& folder) {
  write_report({folder}, folder / run_files::kReport);
}

}  // namespace pdl
