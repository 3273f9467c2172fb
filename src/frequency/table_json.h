// The JSON of frequency tables, whole and in shards. Private to the module.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "pdl/base/json.h"
#include "pdl/frequency/shard_counts.h"
#include "pdl/frequency/token_counts.h"

namespace pdl {

// Sums of counts must stay exact in float64, in which the weights are computed.
inline constexpr int64_t kMaxTotal = int64_t{1} << 53;

// Throws DataError "frequency table '<path>' <why>".
[[noreturn]] void refuse_table(const std::filesystem::path& path, const std::string& why);

// All fields but the counts, which are long and stand last.
nlohmann::ordered_json table_header(const TokenCounts& table);

// Throws DataError with the path.
JsonBlame table_blame(const std::filesystem::path& path);

// Reads a file that says to be a frequency table of this version. Throws DataError.
JsonValue read_table(const std::filesystem::path& path, const JsonBlame& blame);

// Checks and takes the fields of a table, whole or of a shard. Throws DataError.
TokenCounts parse_table_fields(ObjectReader& table, const std::filesystem::path& path);

// The field "shard" of a table. Throws DataError if it is missing or wrong.
Shard parse_shard(ObjectReader& table, const std::filesystem::path& path);

// "2 of 8".
std::string shown(const Shard& shard);

}  // namespace pdl
