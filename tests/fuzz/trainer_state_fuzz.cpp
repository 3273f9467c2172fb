// The trainer_state.json of a checkpoint, and the config in it.
#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/checkpoint/records/trainer_state.h"

namespace pdl {
namespace {

void check_counts(const TrainerState& state) {
  require(state.step >= 0 && state.ledger.num_tokens >= 0 && state.ledger.skipped_steps >= 0 &&
              state.ledger.bad_steps_in_a_row >= 0 &&
              state.selection.evaluations_without_improvement >= 0 &&
              state.ledger.pending.num_tokens >= 0 && state.ledger.pending.steps >= 0,
          "counts are not negative");
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  const std::string text(text_of(data, size));
  const auto state = accepted<CheckpointError>([&] { return parse_trainer_state(text, "state"); });
  if (!state) return 0;
  check_counts(state->first);
  require(text.find('\0') == std::string::npos, "nothing hides after the JSON");
  const std::string written = to_json(state->first, state->second);
  const auto [again, identity] = parse_trainer_state(written, "again");
  require(to_json(again, identity) == written, "a state reads back as it was written");
  return 0;
}
