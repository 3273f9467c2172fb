#include <algorithm>
#include <cmath>
#include <tuple>

#include "markup.h"
#include "pdl/base/text_format.h"
#include "sections.h"

namespace pdl::report {
namespace {

constexpr int kDigits = 3;

std::string seeds_text(const ArmComparison& arm) {
  return counted(arm.seeds.size(), "paired seed");
}

std::string interval_text(const SeedFigure& figure) {
  if (!figure.low || !figure.high) return "no interval from one seed";
  return "95 % interval " + decimals(*figure.low, kDigits) + " to " +
         decimals(*figure.high, kDigits);
}

std::string figure_text(const std::string& name, const SeedFigure& figure) {
  return name + " = " + decimals(figure.mean, kDigits) + " nats per token (" +
         interval_text(figure) + ")";
}

// The bias that undoes what the weights did, as the runs of the arm have it on average.
std::optional<double> undoing_tau(const PageData& page, double alpha) {
  for (const RunGroup& group : page.groups) {
    if (group.alpha != alpha) continue;
    return mean_over(group, [](const RunData& run) {
      return run.documents ? std::optional(best_tau_of(*run.documents)) : std::nullopt;
    });
  }
  return std::nullopt;
}

std::string next_step(const PageData& page, const ArmComparison& arm) {
  const std::string alpha = "alpha " + shortest_decimal(arm.alpha);
  switch (arm.verdict) {
    case Verdict::kHelps: {
      const std::optional<double> tau = undoing_tau(page, arm.alpha);
      const std::string bias =
          tau ? ", generate with --logit_bias " + decimals(*tau, kDigits) : std::string();
      return "use " + alpha + bias + ", and read its samples below";
    }
    case Verdict::kHurts:
      return "use alpha 0, or try a smaller alpha";
    case Verdict::kNoDifference:
      return "use alpha 0, which is simpler: a difference beyond " +
             decimals(page.comparison->delta, 2) + " is excluded";
    case Verdict::kNotShown:
      break;
  }
  if (arm.seeds_needed) {
    return "train more seeds, about " + count(arm.seeds_needed) + " of each alpha in all";
  }
  if (std::ssize(arm.seeds) < kMinSeedsToHelp)
    return "train at least " + std::to_string(kMinSeedsToHelp) + " seeds of each alpha";
  return "change the job or the data, because more seeds would hardly decide it";
}

// The arm that the sentence is about: the best answer, then the lowest G.
const ArmComparison& leading_arm(const Comparison& comparison) {
  const auto rank = [](const ArmComparison& arm) {
    switch (arm.verdict) {
      case Verdict::kHelps:
        return 0;
      case Verdict::kNotShown:
        return 1;
      case Verdict::kNoDifference:
        return 2;
      case Verdict::kHurts:
        break;
    }
    return 3;
  };
  return *std::min_element(comparison.arms.begin(), comparison.arms.end(),
                           [&](const ArmComparison& a, const ArmComparison& b) {
                             return std::tuple(rank(a), a.g.mean) < std::tuple(rank(b), b.g.mean);
                           });
}

std::string verdict_of_arm(const ArmComparison& arm) {
  return "alpha " + shortest_decimal(arm.alpha) + ": " + std::string(name_of(arm.verdict));
}

VerdictText verdict_of_comparison(const PageData& page) {
  const ArmComparison& arm = leading_arm(*page.comparison);
  const bool is_by_rare_tokens =
      arm.verdict == Verdict::kHelps && arm.r && !(arm.g.high && *arm.g.high < 0);
  std::string sentence =
      verdict_of_arm(arm) + ", with " + figure_text("G", arm.g) + " over " + seeds_text(arm);
  if (is_by_rare_tokens) sentence += ", and for rare tokens " + figure_text("R", *arm.r);
  sentence += "; next: " + next_step(page, arm) + ".";
  return {.title = verdict_of_arm(arm) + ", G = " + decimals(arm.g.mean, kDigits),
          .heading = "Did alpha help?",
          .sentence = sentence};
}

std::string others_text(const Comparison& comparison) {
  const ArmComparison& leading = leading_arm(comparison);
  std::string html;
  for (const ArmComparison& arm : comparison.arms) {
    if (&arm == &leading) continue;
    html += "<li>" +
            escape(verdict_of_arm(arm) + ", with " + figure_text("G", arm.g) + " over " +
                   seeds_text(arm)) +
            "</li>\n";
  }
  return html.empty() ? "" : "<ul>\n" + html + "</ul>\n";
}

}  // namespace

VerdictText verdict_text(const PageData& page) {
  if (page.comparison) return verdict_of_comparison(page);
  if (page.is_one_run()) {
    const std::string& name = page.runs.front().name;
    return {.title = name,
            .heading = "Run " + name,
            .sentence =
                "One run cannot show whether alpha helped; next: train alpha 0 and this "
                "alpha with the same seeds, at least " +
                std::to_string(kMinSeedsToHelp) + " of each, and report all of them together."};
  }
  return {.title = "runs that are not compared",
          .heading = "Did alpha help?",
          .sentence =
              "These runs cannot be compared, and are shown side by side: " + page.refusal + "."};
}

std::string verdict_details(const PageData& page) {
  std::string html;
  if (page.comparison) {
    html += others_text(*page.comparison);
    html += paragraph(
        "The loss shifts a model towards rare tokens; adding tau·ln(count + 1) to its logits "
        "shifts it back. G is the cross-entropy of an alpha less that of alpha 0 with the same "
        "seed, each at its best tau, so that a mere shift is no gain: below 0 is better. The "
        "interval is over seeds. A difference "
        "within ±" +
        decimals(page.comparison->delta, 2) + " counts as none.");
  }
  for (const std::string& run : page.left_out) html += paragraph("Left out: " + run + ".");
  std::string notes;
  for (const RunData& run : page.runs) {
    for (const std::string& note : run.notes) {
      notes += "<li>" + escape(run.name + ": " + note) + "</li>\n";
    }
  }
  if (!notes.empty()) html += "<p>Missing or damaged:</p>\n<ul>\n" + notes + "</ul>\n";
  return html;
}

}  // namespace pdl::report
