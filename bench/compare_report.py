"""Tables of what bench/compare.py measured."""

import statistics

from measuring import print_surroundings, print_table

FLOOR = "floor"  # not a trainer: the matrix products alone

# Rates and losses are given relative to those of these programs.
BASELINES = ("trainer", "compiled", "pdl-train")

# Steps that are not counted as steady: they compile, and allocate what later steps reuse.
WARM_UP_STEPS = 2


def steady_step(result):
    return statistics.median(result["step_seconds"][WARM_UP_STEPS:])


def difference(result, other, step):
    """Relative difference of the losses of two results at a step."""
    expected = other["losses"][step]
    return abs(result["losses"][step] - expected) / abs(expected)


def summarise(rounds, name, targets):
    """The figures of a program, each a median over the rounds.

    Ratios are formed in each round before the median is taken: programs of one round met the same
    machine, those of different rounds perhaps not.
    """
    results = [results[name] for results in rounds]
    steps = [steady_step(result) for result in results]
    median = statistics.median
    summary = {
        "tokens_per_second": targets / median(steps),
        "tokens_per_second_range": [targets / max(steps), targets / min(steps)],
        "run_tokens_per_second": median(
            targets * len(result["step_seconds"]) / result["run_seconds"] for result in results
        ),
        "step_ms": 1000 * median(steps),
        "first_step_ratio": median(
            result["step_seconds"][0] / step for result, step in zip(results, steps)
        ),
        "start_seconds": median(result["start_seconds"] for result in results),
        "peak_mib": median(result["peak_bytes"] for result in results) / 2**20,
        "first_loss": results[0]["losses"][0],
        "last_loss": results[0]["losses"][-1],
    }
    for baseline in BASELINES:
        if baseline in rounds[0]:
            summary[f"ratio_to_{baseline}"] = median(
                steady_step(results[baseline]) / step for results, step in zip(rounds, steps)
            )
    if BASELINES[0] in rounds[0]:
        pairs = [(results[name], results[BASELINES[0]]) for results in rounds]
        summary["first_loss_difference"] = max(difference(*pair, 0) for pair in pairs)
        summary["last_loss_difference"] = max(difference(*pair, -1) for pair in pairs)
    if FLOOR in rounds[0]:
        summary["ratio_to_floor"] = median(
            step / results[FLOOR]["seconds"] for results, step in zip(rounds, steps)
        )
    return summary


SPEED_COLUMNS = (
    ("tokens/s", "tokens_per_second", "{:,.0f}"),
    ("lowest – highest", "tokens_per_second_range", "{0[0]:,.0f} – {0[1]:,.0f}"),
    ("× trainer", "ratio_to_trainer", "{:.2f}"),
    ("× compiled", "ratio_to_compiled", "{:.2f}"),
    ("× pdl-train", "ratio_to_pdl-train", "{:.3f}"),
    ("step, ms", "step_ms", "{:.4g}"),
    ("step / floor", "ratio_to_floor", "{:.2f}"),
    ("tokens/s, whole run", "run_tokens_per_second", "{:,.0f}"),
)
OTHER_COLUMNS = (
    ("start, s", "start_seconds", "{:.2f}"),
    ("first step / step", "first_step_ratio", "{:.2f}"),
    ("peak memory, MiB", "peak_mib", "{:,.0f}"),
    ("first loss", "first_loss", "{:.6f}"),
    ("last loss", "last_loss", "{:.6f}"),
    ("difference from trainer, first", "first_loss_difference", "{:.1e}"),
    ("last", "last_loss_difference", "{:.1e}"),
)


def print_compile_time(rounds):
    """The time by which the first step of the compiled loop is longer than a later one."""
    times = [
        results["compiled"]["step_seconds"][0] - steady_step(results["compiled"])
        for results in rounds
    ]
    line = f"Compile time: {times[0]:.1f} s with an empty cache"
    if len(times) > 1:
        line += f", {statistics.median(times[1:]):.1f} s in later rounds"
    print(line + ".\n")


def print_report(report, rounds):
    shape, steps = report["shape"], report["steps"]
    print(
        f"{shape}: {report['rows']} rows × {report['length']} tokens a step, {steps} steps, "
        f"{report['threads']} threads, {report['repeats']} rounds, float32, CPU\n"
    )
    if report["programs"]:
        print_table(SPEED_COLUMNS, report["programs"])
        print_table(OTHER_COLUMNS, report["programs"])
    if "compiled" in rounds[0]:
        print_compile_time(rounds)
    if FLOOR in rounds[0]:
        seconds = statistics.median(results[FLOOR]["seconds"] for results in rounds)
        rate = rounds[0][FLOOR]["operations"] / seconds / 1e9
        print(f"Matrix products of a step alone: {1000 * seconds:.4g} ms, {rate:,.0f} GFLOP/s.\n")
    shares = [result["others_share"] for results in rounds for result in results.values()]
    print_surroundings(report, shares)
