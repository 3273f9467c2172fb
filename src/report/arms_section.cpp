#include <cmath>

#include "markup.h"
#include "pdl/base/text_format.h"
#include "sections.h"

namespace pdl::report {
namespace {

using CeOfRun = std::function<BiasedCe(const BiasedSums& sums)>;

// A row of the table: what is done to the runs of a group, and what that is compared with.
struct Arm {
  std::string name;
  const RunGroup* group;
  CeOfRun ce;
  CeOfRun plain;  // of alpha 0; empty: no comparison
};

std::optional<double> mean_ce(const Arm& arm, std::optional<double> BiasedCe::*figure) {
  return mean_over(*arm.group, [&](const RunData& run) {
    return run.documents ? arm.ce(*run.documents).*figure : std::nullopt;
  });
}

const RunData* run_with_seed(const RunGroup& group, const std::optional<int64_t>& seed) {
  for (const RunData* run : group.runs) {
    if (run->seed == seed) return run;
  }
  return nullptr;
}

// "4 of 5": in how many seeds the arm is lower than alpha 0.
std::string seeds_below(const Arm& arm, const RunGroup& plain) {
  if (!arm.plain) return std::string(kNone);
  size_t pairs = 0;
  size_t below = 0;
  for (const RunData* run : arm.group->runs) {
    const RunData* partner = run_with_seed(plain, run->seed);
    if (partner == nullptr || !run->documents || !partner->documents) continue;
    const auto ce = arm.ce(*run->documents).all;
    const auto plain_ce = arm.plain(*partner->documents).all;
    ++pairs;
    if (ce && plain_ce && *ce < *plain_ce) ++below;
  }
  return std::to_string(below) + " of " + std::to_string(pairs);
}

std::vector<Arm> arms_of(const PageData& page, const RunGroup& plain) {
  const CeOfRun as_trained = [](const BiasedSums& sums) { return ce_at(sums, 0); };
  const CeOfRun best = best_ce;
  std::vector<Arm> arms = {{"CE (alpha 0)", &plain, as_trained, {}},
                           {"CE, best tau", &plain, best, {}}};
  for (const RunGroup& group : page.groups) {
    if (&group == &plain) continue;
    const double alpha = group.alpha.value_or(0);
    const CeOfRun biased = [alpha](const BiasedSums& sums) { return ce_at(sums, -alpha); };
    arms.push_back({"CE + bias, tau " + shortest_decimal(-alpha), &plain, biased, as_trained});
    arms.push_back({"PDL, " + group.label, &group, as_trained, as_trained});
    arms.push_back({"PDL, " + group.label + ", de-tilted", &group, best, best});
  }
  return arms;
}

}  // namespace

std::string arms_section(const PageData& page) {
  if (!page.comparison || page.groups.empty() || page.groups.front().alpha != 0) return "";
  const RunGroup& plain = page.groups.front();
  Table table{.caption = "Cross-entropy in nats per token, mean over seeds",
              .head = {"arm", "ce", "ppl", "rare ce", "head ce", "seeds below CE"},
              .rows = {}};
  for (const Arm& arm : arms_of(page, plain)) {
    const std::optional<double> ce = mean_ce(arm, &BiasedCe::all);
    const std::optional<double> ppl = ce ? std::optional(std::exp(*ce)) : std::nullopt;
    table.rows.push_back({text_cell(arm.name), number_cell(decimals(ce, 3)),
                          number_cell(decimals(ppl, 2)),
                          number_cell(decimals(mean_ce(arm, &BiasedCe::rare), 3)),
                          number_cell(decimals(mean_ce(arm, &BiasedCe::head), 3)),
                          number_cell(seeds_below(arm, plain))});
  }
  const std::string rare = std::to_string(kRareBelow);
  return section(
      "arms", "Arms",
      to_html(table) +
          paragraph("Rare targets were counted less than " + rare +
                    " times in training, the head " + rare +
                    " times or more. Were PDL nothing but a bias, its row would equal CE + bias at "
                    "tau −alpha, which costs no training. De-tilted: at its best tau, chosen on "
                    "one half of the documents and used on the other. The last column compares "
                    "de-tilted rows with CE at its own best tau, the others with CE as trained."));
}

}  // namespace pdl::report
