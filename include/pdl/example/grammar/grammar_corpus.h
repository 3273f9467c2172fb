// Generates text in an invented language: a corpus for examples and tests that needs neither a
// download nor a licence. It gives a language model something to learn at every range:
//
//   spelling    words are built of few syllables, and word classes have their endings
//   frequency   the words of each class follow Zipf's law: the word of rank r has weight 1/(r+2)
//   agreement   determiner, noun and adjective in gender and number; subject and verb in number
//   collocation nouns have their adjectives, verbs their objects and their preposition
//   context     a paragraph keeps one tense, one topic of nouns and one protagonist
//
// The bytes depend on the arguments alone because all arithmetic is on integers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pdl/base/random.h"

namespace pdl {

// The number of stems of each word class; every size is at least 4, and topics is at most nouns.
struct LexiconSizes {
  int64_t nouns = 800;
  int64_t verbs = 300;
  int64_t adjectives = 250;
  int64_t adverbs = 60;
  int64_t names = 100;
  int64_t topics = 16;
};

// Draws indices 0, 1, … with probabilities in proportion to 1/(index + 2).
class ZipfSampler {
 public:
  explicit ZipfSampler(size_t size);
  size_t draw(Random& random) const;

 private:
  std::vector<uint64_t> cumulative_;
};

// Immutable after construction.
class GrammarCorpus {
 public:
  // Makes the language. Throws std::invalid_argument if a size is out of its range.
  GrammarCorpus(uint64_t seed, const LexiconSizes& sizes);

  // Returns ASCII text of `min_bytes` or slightly more: paragraphs of one line, with an empty line
  // between them. Each `stream` is a different text in the same language, e.g. for training and
  // evaluation.
  std::string text(int64_t min_bytes, uint64_t stream) const;

 private:
  friend class ParagraphWriter;

  struct Noun {
    std::string stem;
    size_t gender;                   // index into the tables of endings
    std::vector<size_t> adjectives;  // that go with it
  };
  struct Verb {
    std::string stem;
    size_t preposition;
    std::vector<size_t> objects;  // nouns that go with it
  };

  uint64_t seed_;
  std::vector<Noun> nouns_;
  std::vector<Verb> verbs_;
  std::vector<std::string> adjectives_;
  std::vector<std::string> adverbs_;
  std::vector<std::string> names_;
  std::vector<std::vector<size_t>> topics_;  // nouns
};

}  // namespace pdl
