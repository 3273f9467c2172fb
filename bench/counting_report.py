"""Tables of what bench/counting.py measured."""

import statistics

from measuring import print_surroundings, print_table

KINDS = {
    "bpe": "SentencePiece BPE",
    "unigram": "SentencePiece Unigram",
    "bytes": "byte-level BPE (tokenizer.json)",
}
# A program that the others are given relative to.
BASELINES = {"bpe": "SentencePiece, C++", "unigram": "SentencePiece, C++", "bytes": "tokenizers"}
PDL_TRAIN = "pdl-train"


def median_of(rounds, name, key):
    return statistics.median(results[name][key] for results in rounds)


def median_ratio(rounds, name, other, key):
    """Ratios are formed in each round before the median is taken: one round met one machine."""
    return statistics.median(results[name][key] / results[other][key] for results in rounds)


def summarise_rate(rounds, name, baseline):
    rates = [results[name]["rate"] for results in rounds]
    summary = {"rate": statistics.median(rates), "rate_range": (min(rates), max(rates))}
    if baseline:
        summary["ratio"] = median_ratio(rounds, name, baseline, "rate")
    return summary


def summarise(rounds, name, baseline, one):
    """The figures of a program beside those of `baseline` and of one thread of the same program."""
    keys = ("megabytes", "cpu_rate", "start_seconds")
    summary = {key: median_of(rounds, name, key) for key in keys}
    summary |= summarise_rate(rounds, name, baseline)
    summary["peak_mib"] = median_of(rounds, name, "peak_bytes") / 2**20
    if baseline:
        summary["cpu_ratio"] = median_ratio(rounds, name, baseline, "cpu_rate")
    if one:
        summary["scaling"] = median_ratio(rounds, name, one, "rate")
    return summary


def rate_columns(baseline):
    return (
        ("MB/s", "rate", "{:.4g}"),
        ("lowest – highest", "rate_range", "{0[0]:.4g} – {0[1]:.4g}"),
        (f"× {baseline}", "ratio", "{:.2f}"),
    )


def kind_columns(baseline):
    return (
        ("text, MB", "megabytes", "{:,.0f}"),
        *rate_columns(baseline),
        ("MB a CPU second", "cpu_rate", "{:.4g}"),
        (f"× {baseline}, a CPU second", "cpu_ratio", "{:.2f}"),
        ("× 1 thread", "scaling", "{:.2f}"),
        ("start, s", "start_seconds", "{:.2f}"),
    )


def report_kind(kind, rounds):
    one = f"{PDL_TRAIN}, 1 thread"
    summaries = {
        name: summarise(rounds, name, BASELINES[kind], one if name.startswith(PDL_TRAIN) else None)
        for name in rounds[0]
    }
    print(f"{KINDS[kind]}:\n")
    print_table(kind_columns(BASELINES[kind]), summaries)
    return summaries


def report_sizes(rounds):
    smallest = next(iter(rounds[0]))
    summaries = {name: summarise(rounds, name, smallest, None) for name in rounds[0]}
    columns = (
        *rate_columns(smallest),
        ("MB a CPU second", "cpu_rate", "{:.4g}"),
        ("peak memory, MiB", "peak_mib", "{:,.0f}"),
    )
    print(f"`{PDL_TRAIN} count` on texts of different sizes, SentencePiece BPE, all threads:\n")
    print_table(columns, summaries)
    return summaries


def report_further(rounds):
    smallest = next(iter(rounds[0]))
    summaries = {name: summarise_rate(rounds, name, smallest) for name in rounds[0]}
    print(f"`{PDL_TRAIN} count` on further text of a run, SentencePiece BPE, all threads:\n")
    print_table(rate_columns(smallest), summaries)
    return summaries


def report_starts(rounds):
    summaries = {
        name: {
            "seconds": median_of(rounds, name, "first_step_seconds"),
            "peak_mib": median_of(rounds, name, "peak_bytes") / 2**20,
        }
        for name in rounds[0]
    }
    columns = (
        ("until the first step, s", "seconds", "{:.2f}"),
        ("peak memory, MiB", "peak_mib", "{:,.0f}"),
    )
    print("Start of a training job:\n")
    print_table(columns, summaries)
    return summaries


def print_report(report, rounds_of):
    """Prints everything; returns the figures by part."""
    print(f"{report['threads']} threads, {report['repeats']} rounds\n")
    reports = {"sizes": report_sizes, "further": report_further, "start": report_starts}
    figures = {}
    for part, rounds in rounds_of.items():
        figures[part] = reports[part](rounds) if part in reports else report_kind(part, rounds)
    runs = [result for rounds in rounds_of.values() for results in rounds for result in results.values()]
    print_surroundings(report, [run["others_share"] for run in runs])
    return figures
