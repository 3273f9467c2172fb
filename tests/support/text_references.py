"""Figures of texts by other programs (NLTK, sacrebleu, lexicalrichness, numpy) or straight from their definitions."""

import collections
import math
import string

import numpy
import sacrebleu
from lexicalrichness import LexicalRichness
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from nltk.util import ngrams

MOST_BLEU_SAMPLES = 1000


def pooled(samples, n):
    return [gram for sample in samples for gram in ngrams(sample, n)]


def distinct(samples, n):
    grams = pooled(samples, n)
    return len(set(grams)) / len(grams) if grams else None


def seq_rep(samples, n):
    """Mean and the number of samples that are left out."""
    grams = [list(ngrams(sample, n)) for sample in samples]
    shares = [1 - len(set(own)) / len(own) for own in grams if own]
    return (float(numpy.mean(shares)) if shares else None), len(samples) - len(shares)


def self_bleu(samples):
    """By NLTK; sacrebleu must agree."""
    kept = [sample for sample in samples if len(sample) >= 4][:MOST_BLEU_SAMPLES]
    if len(kept) < 2:
        return None
    scores = []
    for i, sample in enumerate(kept):
        others = kept[:i] + kept[i + 1 :]
        scores.append(float(sentence_bleu(others, sample, smoothing_function=SmoothingFunction().method1)))
        texts = [" ".join(map(str, ids)) for ids in others]
        score = sacrebleu.sentence_bleu(
            " ".join(map(str, sample)), texts, tokenize="none", smooth_method="floor", smooth_value=0.1
        ).score  # fmt: skip
        assert abs(score / 100 - scores[-1]) < 1e-12, (score, scores[-1])
    return float(numpy.mean(scores))


def zipf(samples):
    counts = sorted(collections.Counter(pooled(samples, 1)).values(), reverse=True)
    if len(counts) < 2:
        return None
    slope, _ = numpy.polyfit(numpy.log(numpy.arange(1, len(counts) + 1)), numpy.log(counts), 1)
    return float(-slope)


def js(a, b, n):
    """Of two lists of samples, in nats."""
    counts = [collections.Counter(pooled(samples, n)) for samples in (a, b)]
    if not counts[0] or not counts[1]:
        return None
    grams = sorted(set(counts[0]) | set(counts[1]))
    p, q = (numpy.array([own[gram] for gram in grams], float) / own.total() for own in counts)
    middle = (p + q) / 2
    with numpy.errstate(divide="ignore", invalid="ignore"):
        return float(sum(numpy.nansum(own * numpy.log(own / middle)) for own in (p, q)) / 2)


def kl(reference, text, vocab_size):
    """KL(reference || text) with add-1."""
    if not pooled(reference, 1) or not pooled(text, 1):
        return None
    p, q = (numpy.bincount([i for sample in samples for i in sample], minlength=vocab_size) + 1.0 for samples in (reference, text))
    p, q = p / p.sum(), q / q.sum()
    return float(numpy.sum(p * numpy.log(p / q)))


def words(text):
    stripped = (word.strip(string.punctuation) for word in text.split())
    lowered = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
    return [word.translate(lowered) for word in stripped if word]


def richness(all_words):
    """MATTR and MTLD."""
    if not all_words:
        return None, None
    text = LexicalRichness(" ".join(map(str, all_words)), preprocessor=None, tokenizer=str.split)
    window = min(50, len(all_words))
    return text.mattr(window_size=window), text.mtld(threshold=0.72)


def figures(samples, texts, other, counts, rare_below):
    """All but judge_nll, by their names. `other`: the samples beside which these stand, or None."""
    result = {f"distinct_{n}": distinct(samples, n) for n in range(1, 5)}
    for n in range(2, 5):
        result[f"seq_rep_{n}"], result[f"seq_rep_{n}_skipped"] = seq_rep(samples, n)
    parts = [result[f"distinct_{n}"] for n in range(2, 5)]
    result["diversity"] = None if None in parts else math.prod(parts)
    result["self_bleu_4"] = self_bleu(samples)
    result["self_bleu_4_skipped"] = sum(len(sample) < 4 for sample in samples)
    result["zipf"] = zipf(samples)
    ids = [i for sample in samples for i in sample]
    result["tokens"] = len(ids)
    result["rare_share"] = sum(counts[i] < rare_below for i in ids) / len(ids) if ids else None
    result |= dict.fromkeys(("js_unigram", "js_bigram", "kl_unigram", "rare_coverage"))
    if other is not None:
        result["js_unigram"], result["js_bigram"] = js(samples, other, 1), js(samples, other, 2)
        result["kl_unigram"] = kl(other, samples, len(counts))
        rare = {i for sample in other for i in sample if counts[i] < rare_below}
        result["rare_coverage"] = len(rare & set(ids)) / len(rare) if rare else None
    by_sample = [words(text) for text in texts]
    all_words = [word for own in by_sample for word in own]
    result["word_distinct_1"], result["word_distinct_2"] = distinct(by_sample, 1), distinct(by_sample, 2)
    result["words"] = len(all_words)
    result["mattr"], result["mtld"] = richness(all_words)
    return result


def repetition(rows, most_probable):
    """rep_128, wrep_128 and uniq. A row's ids, and what is most probable after each of them but the last."""
    repeated = wrongly = positions = 0
    for row, guesses in zip(rows, most_probable, strict=True):
        targets = row[1:]
        for t, (target, guess) in enumerate(zip(targets, guesses, strict=True)):
            is_there = guess in targets[max(0, t - 128) : t]
            repeated += is_there
            wrongly += is_there and guess != target
            positions += 1
    return repeated / positions, wrongly / positions, len({guess for guesses in most_probable for guess in guesses})
