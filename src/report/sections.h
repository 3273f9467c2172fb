// The parts of the page, from top to bottom, as HTML. A part for which the runs hold nothing is
// empty.
#pragma once

#include <string>

#include "page_data.h"

namespace pdl::report {

// What the page says first, as plain text.
struct VerdictText {
  std::string title;     // of the window
  std::string heading;   // a question, or the run
  std::string sentence;  // the answer, and what to do next
};

VerdictText verdict_text(const PageData& page);

// What the sentence leaves out: the other alphas, runs that take no part, the meaning of G.
std::string verdict_details(const PageData& page);

// CE, CE with bias, PDL and PDL de-tilted, as a table.
std::string arms_section(const PageData& page);
// Cross-entropy over tau, and of all targets against that of rare ones.
std::string bias_section(const PageData& page);
// The differences of the pairs of seeds with their intervals.
std::string seeds_section(const PageData& page);
std::string bands_section(const PageData& page);
// The weights of a single run.
std::string weights_section(const PageData& page);
// Figures of generated text beside human text.
std::string text_section(const PageData& page);
std::string samples_section(const PageData& page);
// Training and evaluation over the steps.
std::string curves_section(const PageData& page);
// Each run in a line, as far as it came.
std::string runs_section(const PageData& page);
std::string provenance_section(const PageData& page);

}  // namespace pdl::report
