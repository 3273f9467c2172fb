#include "support/configuration_page.h"

#include <string_view>

#include "config/value_check.h"
#include "pdl/config/config_table.h"

namespace pdl {
namespace {

constexpr std::string_view kHead = R"(`run.json` is one flat JSON object with the keys of this page.

- `//` and `/* */` comments are allowed.
- Every key is also a flag, as in `--pdl_alpha 0` or `--packing false`, and a flag wins over the file.
- A path in the file is relative to the file's folder, a path in a flag to the working directory.
- A list of strings may be written as one string.
  As a flag it takes one value or more, and it may be repeated.
- `*`, `?` and `[…]` in the names of data files are expanded, and the matches are sorted by byte value.
- An unknown key, a key that is there twice, a wrong type and a value out of range are errors.
  All of them are reported together, and the exit code is 2.
- `pdl-train schema` prints a JSON Schema of `run.json`, with which an editor completes and checks it.

A key marked ↻ may change when a run is [resumed](runs.md#stop-and-resume); any other may not.
)";

// Tells what all keys of a group have in common, and which page tells more.
std::string_view introduction(KeyGroup group) {
  switch (group) {
    case KeyGroup::kModel:
      return "[Models](models.md) tells which Hugging Face folders are trained, what a TorchScript "
             "file must offer, and which tokenizers are read.\n";
    case KeyGroup::kData:
      return "[Data](data.md) tells which files are read, how their records become documents, and "
             "how documents "
             "become sequences.\n";
    case KeyGroup::kPowerLawDecay:
      return "[Power-Law Decay Loss](pdl.md) has the formula, the order in which these keys apply, "
             "and the reasons "
             "for the defaults.\n";
    case KeyGroup::kBatches:
      return "A step is one optimiser step: one update of the parameters, from the gradients of "
             "`gradient_accumulation_steps` micro-batches.\n";
    case KeyGroup::kOptimizer:
      return "The optimisers and clipping compute what PyTorch's do.\n"
             "The schedules `constant`, `linear` and `cosine` are those of transformers.\n";
    case KeyGroup::kDevice:
      return "[Performance](performance.md) tells what these keys do to time and memory, and "
             "[CUDA](cuda.md) what has "
             "run on a GPU.\n";
    case KeyGroup::kEvaluation:
      return "[Metrics](metrics.md#evaluations) tells what an evaluation measures.\n";
    case KeyGroup::kOutput:
      return "[Runs](runs.md) lists the files of a run and tells how to stop and resume it.\n";
    case KeyGroup::kSafety:
      return "[Runs](runs.md#steps-that-are-left-out) tells when a step is not trained on.\n";
  }
  return "";
}

// Escapes the bar, which would end the cell.
std::string in_cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

void add_sentence(std::string& text, std::string_view sentence) {
  if (!text.ends_with('.')) text += '.';
  text += ' ';
  text += sentence;
}

std::string meaning(const ConfigKey& key) {
  std::string text(key.help);
  if (!key.details.empty()) add_sentence(text, key.details);
  for (const KeyRelation& relation : key_relations()) {
    if (relation.key != key.name) continue;
    const bool needs = relation.type == KeyRelation::Type::kNeeds;
    add_sentence(text,
                 (needs ? "Needs `" : "Not together with `") + std::string(relation.other) + "`.");
  }
  return text;
}

std::string row(const ConfigKey& key) {
  const std::string default_text =
      key.rules.required ? "required" : "`" + shown(default_value(key)) + "`";
  return "| `" + std::string(key.name) + "`" + (key.rules.may_change_on_resume ? " ↻" : "") +
         " | " + default_text + " | " + in_cell(allowed_values(key)) + " | " +
         in_cell(meaning(key)) + " |\n";
}

}  // namespace

std::string configuration_page() {
  std::string page = "# Configuration\n\n<!-- Made from src/config/config_table.cpp by: " +
                     std::string(kConfigurationPageCommand) + " -->\n\n" + std::string(kHead);
  const ConfigKey* before = nullptr;
  for (const ConfigKey& key : config_keys()) {
    if (before == nullptr || before->group != key.group) {
      page += "\n## " + std::string(group_title(key.group)) + "\n\n" +
              std::string(introduction(key.group)) +
              "\n| key | default | value | meaning |\n|---|---|---|---|\n";
    }
    page += row(key);
    before = &key;
  }
  return page;
}

}  // namespace pdl
