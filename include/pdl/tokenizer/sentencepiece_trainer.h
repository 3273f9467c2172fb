// Trains a SentencePiece model in this process, for examples and tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pdl {

// Learns a BPE model of exactly `vocab_size` pieces from `sentences` (UTF-8) and returns the
// content of its .model file. Ids: 0 <unk>, 1 <s>, 2 </s>, no padding, then 256 byte pieces, so
// that every text can be encoded and decoded. Nothing is normalised, except that a leading space is
// added. Deterministic, in one thread; prints nothing.
//
// Throws ModelError if there is no text, if it is not UTF-8, or if `vocab_size` is too small for
// its characters or larger than the number of pieces that can be learnt from it. Switches off
// SentencePiece's own messages below errors for the whole process.
std::string train_sentencepiece_bpe(const std::vector<std::string>& sentences, int64_t vocab_size);

}  // namespace pdl
