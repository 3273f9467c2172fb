#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/output.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/checkpoint/checkpoint.h"

namespace pdl {
namespace {

void run_verify(const std::vector<std::string>& checkpoints) {
  int64_t bad = 0;
  for (const std::string& checkpoint : checkpoints) {
    const std::string damage = find_damage(checkpoint);
    std::string line = printable(checkpoint, SIZE_MAX);
    if (damage.empty()) {
      line += ": ok (step " + std::to_string(load_trainer_state(checkpoint).first.step) + ")";
    } else {
      ++bad;
      line += ": bad: " + printable(damage, SIZE_MAX);
    }
    write_result("", line + "\n");
  }
  if (bad > 0) {
    throw CheckpointError(std::to_string(bad) + " of " + std::to_string(checkpoints.size()) +
                          " checkpoints are missing or damaged; go on from one that is whole");
  }
}

}  // namespace

void add_verify_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "verify", "Check that checkpoints are whole: one line each, exit code 5 if any is not");
  const auto checkpoints = std::make_shared<std::vector<std::string>>();
  command->add_option("checkpoints", *checkpoints, "folders checkpoint-<step>")
      ->type_name("CHECKPOINT")
      ->required();
  command->callback([checkpoints] { run_verify(*checkpoints); });
}

}  // namespace pdl
