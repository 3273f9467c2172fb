// What an evaluation finds of each document when tau·ln(count + 1) is added to the logits, for a
// grid of tau: the lines of documents.jsonl. Sums are float64, in nats.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pdl/frequency/bands.h"

namespace pdl {

// Sums over the targets of one band in one document.
struct BandSums {
  int64_t tokens = 0;
  std::vector<double> ce_sum;  // one for each tau
};

// Sums over the targets of one document.
struct DocumentFigures {
  int64_t tokens = 0;          // targets; may be 0
  std::vector<double> ce_sum;  // Σ ce, one for each tau
  std::array<BandSums, kFrequencyBands.size()> bands;
};

// The figures of all documents of eval_files, in their order, without empty ones.
struct DocumentTable {
  std::vector<double> taus;  // increasing
  std::vector<DocumentFigures> documents;
};

// Returns a line a document:
//   {"document":i,"taus":[…],"tokens":n,"ce_sum":[…],"bands":{band:{"tokens":n,"ce_sum":[…]}}}
// Numbers are the shortest decimals that give the same double; one that is not finite is null.
std::string to_jsonl(const DocumentTable& table);

// Reads what to_jsonl() wrote; null is read as NaN. Throws DataError, with the path and the number
// of the line, for a file that cannot be read or whose lines are not such: documents that do not
// count from 0, other taus than in the first line, other numbers of sums than taus, tokens of the
// bands that do not add up to the document's, or no document at all.
DocumentTable load_documents(const std::filesystem::path& path);

}  // namespace pdl
