#include "pdl/example/grammar/grammar_corpus.h"

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <string_view>

namespace pdl {
namespace {

enum Number : size_t { kSingular = 0, kPlural = 1 };
enum Tense : size_t { kPresent = 0, kPast = 1 };

constexpr std::string_view kConsonants = "bdfgklmnprstvz";
constexpr std::string_view kVowels = "aeiou";

// Stems end in a consonant and endings begin with a vowel, so that no two words are spelt alike.
constexpr std::string_view kNominalEndings[2][2] = {{"a", "ai"}, {"o", "oi"}};   // gender, number
constexpr std::string_view kVerbalEndings[2][2] = {{"et", "en"}, {"ut", "un"}};  // tense, number
constexpr std::string_view kAdverbEnding = "ili";
constexpr std::string_view kNameEnding = "us";

// The closed classes have one syllable that is no stem, because it begins with a vowel or ends in
// one.
constexpr std::string_view kDefinite[2][2] = {{"da", "dai"}, {"do", "doi"}};  // gender, number
constexpr std::string_view kIndefinite[2][2] = {{"ena", "enai"}, {"eno", "enoi"}};
constexpr std::string_view kCopula[2][2] = {{"se", "sei"}, {"su", "sui"}};  // tense, number
constexpr std::array<std::string_view, 4> kPrepositions = {"mi", "ar", "vo", "il"};
constexpr std::array<std::string_view, 2> kConjunctions = {"ne", "ul"};
constexpr std::string_view kQuestion = "zu";

constexpr size_t kAdjectivesOfNoun = 3;
constexpr size_t kObjectsOfVerb = 6;
constexpr size_t kNounsOfTopic = 24;

bool chance(Random& random, uint64_t percent) { return random.below(100) < percent; }

char pick(Random& random, std::string_view letters) {
  return letters[random.below(letters.size())];
}

// Invents stems, each once.
class StemMaker {
 public:
  explicit StemMaker(Random& random) : random_(random) {}

  // Stems of ranks 0 … `size` - 1 grow longer with rank, as frequent words are short in natural
  // languages.
  std::string make(size_t rank, size_t size) {
    size_t syllables = rank < size / 10 ? 1 : 2 + (rank > size / 2 ? random_.below(2) : 0);
    for (int attempt = 1;; ++attempt) {
      std::string stem = spell(syllables);
      if (used_.insert(stem).second) {
        return stem;
      }
      if (attempt % 20 == 0) {
        ++syllables;  // most stems of this length are taken
      }
    }
  }

 private:
  std::string spell(size_t syllables) {
    std::string stem;
    for (size_t i = 0; i < syllables; ++i) {
      stem += pick(random_, kConsonants);
      stem += pick(random_, kVowels);
    }
    return stem + pick(random_, kConsonants);
  }

  Random& random_;
  std::set<std::string> used_;
};

std::vector<std::string> make_stems(StemMaker& maker, int64_t size) {
  std::vector<std::string> stems(static_cast<size_t>(size));
  for (size_t rank = 0; rank < stems.size(); ++rank) {
    stems[rank] = maker.make(rank, stems.size());
  }
  return stems;
}

std::vector<size_t> draw_some(Random& random, const ZipfSampler& sampler, size_t how_many) {
  std::vector<size_t> drawn(how_many);
  std::generate(drawn.begin(), drawn.end(), [&] { return sampler.draw(random); });
  return drawn;
}

void check_sizes(const LexiconSizes& sizes) {
  const int64_t smallest = std::min(
      {sizes.nouns, sizes.verbs, sizes.adjectives, sizes.adverbs, sizes.names, sizes.topics});
  if (smallest < 4 || sizes.topics > sizes.nouns) {
    throw std::invalid_argument("LexiconSizes out of range");
  }
}

}  // namespace

// ------------------------------------------------------------------ Zipf's law

ZipfSampler::ZipfSampler(size_t size) : cumulative_(size) {
  constexpr uint64_t kScale = uint64_t{1} << 40;
  uint64_t sum = 0;
  for (size_t rank = 0; rank < size; ++rank) {
    sum += kScale / (rank + 2);
    cumulative_[rank] = sum;
  }
}

size_t ZipfSampler::draw(Random& random) const {
  const uint64_t at = random.below(cumulative_.back());
  const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
  return static_cast<size_t>(found - cumulative_.begin());
}

// ------------------------------------------------------------------ the language

GrammarCorpus::GrammarCorpus(uint64_t seed, const LexiconSizes& sizes) : seed_(seed) {
  check_sizes(sizes);
  Random random(seed, 0);
  StemMaker maker(random);
  adjectives_ = make_stems(maker, sizes.adjectives);
  adverbs_ = make_stems(maker, sizes.adverbs);
  names_ = make_stems(maker, sizes.names);
  const ZipfSampler any_adjective(adjectives_.size());
  for (const std::string& stem : make_stems(maker, sizes.nouns)) {
    nouns_.push_back({stem, random.below(2), draw_some(random, any_adjective, kAdjectivesOfNoun)});
  }
  const ZipfSampler any_noun(nouns_.size());
  for (const std::string& stem : make_stems(maker, sizes.verbs)) {
    verbs_.push_back(
        {stem, random.below(kPrepositions.size()), draw_some(random, any_noun, kObjectsOfVerb)});
  }
  for (int64_t topic = 0; topic < sizes.topics; ++topic) {
    topics_.push_back(draw_some(random, any_noun, kNounsOfTopic));
  }
}

// Writes paragraphs.
class ParagraphWriter {
 public:
  ParagraphWriter(const GrammarCorpus& language, uint64_t stream)
      : language_(language),
        random_(language.seed_, stream + 1),  // 0 made the lexicon
        any_noun_(language.nouns_.size()),
        any_verb_(language.verbs_.size()),
        any_adjective_(language.adjectives_.size()),
        any_adverb_(language.adverbs_.size()),
        any_name_(language.names_.size()),
        of_topic_(kNounsOfTopic) {}

  std::string paragraph() {
    tense_ = chance(random_, 60) ? kPast : kPresent;
    topic_ = random_.below(language_.topics_.size());
    protagonist_ = any_name_.draw(random_);
    std::string text;
    const uint64_t sentences = 2 + random_.below(5);
    for (uint64_t i = 0; i < sentences; ++i) {
      text += (i == 0 ? "" : " ") + sentence();
    }
    return text + "\n";
  }

 private:
  struct NounPhrase {
    std::string text;
    size_t gender;
    Number number;
  };

  std::string sentence() {
    std::string text = clause();
    text[0] = static_cast<char>(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0]);
    return text;
  }

  std::string clause() {
    const uint64_t kind = random_.below(100);
    if (kind < 8) {
      return std::string(kQuestion) + " " + acting(subject()) + "?";
    }
    if (kind < 18) {
      const std::string adverb = language_.adverbs_[any_adverb_.draw(random_)];
      return adverb + std::string(kAdverbEnding) + ", " + acting(subject()) + ".";
    }
    if (kind < 28) {
      return being(subject()) + ".";
    }
    if (kind < 42) {
      // The second verb agrees with a distant subject.
      const NounPhrase who = subject();
      const std::string_view conjunction = kConjunctions[random_.below(kConjunctions.size())];
      return acting(who) + ", " + std::string(conjunction) + predicate(who.number) + ".";
    }
    return acting(subject()) + ".";
  }

  std::string acting(const NounPhrase& who) { return who.text + predicate(who.number); }

  std::string being(const NounPhrase& who) {
    std::string text = who.text + " " + std::string(kCopula[tense_][who.number]) + " ";
    return text + language_.adjectives_[any_adjective_.draw(random_)] +
           std::string(kNominalEndings[who.gender][who.number]);
  }

  // " verb object", or " verb preposition object" with the preposition of the verb.
  std::string predicate(Number number) {
    const auto& verb = language_.verbs_[any_verb_.draw(random_)];
    std::string text = " " + verb.stem + std::string(kVerbalEndings[tense_][number]);
    if (chance(random_, 30)) {
      text += " " + std::string(kPrepositions[verb.preposition]);
    }
    const size_t liked = verb.objects[random_.below(verb.objects.size())];
    return text + " " + noun_phrase(chance(random_, 70) ? liked : some_noun()).text;
  }

  NounPhrase subject() {
    if (chance(random_, 25)) {
      return {name(), 1, kSingular};
    }
    return noun_phrase(some_noun());
  }

  std::string name() {
    std::string text =
        language_.names_[chance(random_, 75) ? protagonist_ : any_name_.draw(random_)] +
        std::string(kNameEnding);
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
  }

  size_t some_noun() {
    return chance(random_, 60) ? language_.topics_[topic_][of_topic_.draw(random_)]
                               : any_noun_.draw(random_);
  }

  NounPhrase noun_phrase(size_t index) {
    const auto& noun = language_.nouns_[index];
    Number number = chance(random_, 65) ? kSingular : kPlural;
    std::string text;
    if (chance(random_, 4)) {
      number = kPlural;
      text = std::to_string(2 + random_.below(11));
    } else {
      text =
          chance(random_, 65) ? kDefinite[noun.gender][number] : kIndefinite[noun.gender][number];
    }
    const std::string ending(kNominalEndings[noun.gender][number]);
    if (chance(random_, 35)) {
      const size_t liked = noun.adjectives[random_.below(noun.adjectives.size())];
      const size_t adjective = chance(random_, 75) ? liked : any_adjective_.draw(random_);
      text += " " + language_.adjectives_[adjective] + ending;
    }
    return {text + " " + noun.stem + ending, noun.gender, number};
  }

  const GrammarCorpus& language_;
  Random random_;
  ZipfSampler any_noun_;
  ZipfSampler any_verb_;
  ZipfSampler any_adjective_;
  ZipfSampler any_adverb_;
  ZipfSampler any_name_;
  ZipfSampler of_topic_;
  Tense tense_ = kPresent;
  size_t topic_ = 0;
  size_t protagonist_ = 0;
};

std::string GrammarCorpus::text(int64_t min_bytes, uint64_t stream) const {
  ParagraphWriter writer(*this, stream);
  std::string text;
  while (text.empty() || std::ssize(text) < min_bytes) {
    text += (text.empty() ? "" : "\n") + writer.paragraph();
  }
  return text;
}

}  // namespace pdl
