// A frequency table, whole (frequency.json) and of a shard.
#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/frequency/shard_counts.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {
namespace {

template <class Table, class Load>
void check_table(std::string_view text, const Load& load) {
  const auto table = accepted<DataError>([&] { return load(input_file("table.json", text)); });
  if (!table) return;
  require(text.find('\0') == std::string_view::npos, "nothing hides after the JSON");
  const std::string written = to_json(*table);
  const Table again = load(input_file("again.json", written));
  require(to_json(again) == written, "a table reads back as it was written");
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  check_table<TokenCounts>(text_of(data, size), load_token_counts);
  check_table<ShardCounts>(text_of(data, size), load_shard_counts);
  return 0;
}
