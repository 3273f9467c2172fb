"""Output folders of runs that nobody trained: files as pdl-train writes them, with figures that are known beforehand.

A run's cross-entropy has its lowest point at tau = alpha, which is lower by `gain` per unit of alpha, and noise by seed
and document that is the same for all alphas of a seed.
"""

import json
import math
import pathlib
import random

BANDS = ("0", "1-4", "5-19", "20-99", "100-499", "500-1999", "2000+")
SHARES = (0.0, 0.01, 0.04, 0.1, 0.2, 0.3, 0.35)
LEVELS = (11.0, 9.0, 7.5, 6.0, 5.0, 3.5, 2.0)  # ce of each band without a bias
MIDDLE = sum(band * share for band, share in enumerate(SHARES))  # so that the bias is best where it undoes alpha
TAUS = [i / 8 for i in range(-8, 9)]
HOSTILE = '</script><svg onload=x()>&amp;"\'</title>\x00 a\u202eb\u200bc \U000e0041 \u2028 http://example.com/?a=b\n<b>next</b>'
STEPS = 200

CONFIG = {
    "model_path": "/models/base.pt", "tokenizer_path": "/models/tokenizer.model", "train_files": ["/text/train.txt"],
    "eval_files": ["/text/eval.txt"], "max_length": 64, "pdl_alpha": 0.0, "pdl_epsilon": 1.0, "max_steps": STEPS, "seed": 1,
    "learning_rate": 2e-05, "eval_steps": 50, "output_dir": "", "num_threads": 2,
}  # fmt: skip


def band_ce(band, alpha, tau, gain):
    """A bias moves probability from rare to frequent tokens."""
    tilt = (tau - alpha) * (band - MIDDLE) * -0.9
    return LEVELS[band] + tilt + 1.1 * (tau - alpha) ** 2 - gain * alpha


def documents(alpha, seed, gain, number, taus=None, noise=1.0):
    """The lines of documents.jsonl; `noise` is that by seed of what alpha gains."""
    text = random.Random(0)  # the same for all runs
    source = random.Random(seed)
    taus = TAUS if taus is None else taus
    offset = source.gauss(0, 0.05)
    gain += random.Random(f"{seed} {alpha}").gauss(0, 0.04 * noise)
    lines = []
    for index in range(number):
        size = text.randrange(20, 200)
        level = offset + text.gauss(0, 0.3)
        bands, total = {}, [0.0] * len(taus)
        tokens = 0
        for band, name in enumerate(BANDS):
            count = round(size * SHARES[band])
            noise = source.gauss(0, 0.01)
            sums = [count * (band_ce(band, alpha, tau, gain) + level + noise * alpha) for tau in taus]
            bands[name] = {"tokens": count, "ce_sum": sums}
            total = [a + b for a, b in zip(total, sums, strict=True)]
            tokens += count
        lines.append({"document": index, "taus": taus, "tokens": tokens, "ce_sum": total, "bands": bands})
    return lines


def eval_fields(alpha, step, gain):
    late = math.exp(-step / 60)
    bands = {}
    for band, name in enumerate(BANDS):
        count = round(10_000 * SHARES[band])
        ce = band_ce(band, alpha, 0, gain) + 2 * late
        bands[name] = {"tokens": count, "ce": ce if count else None, "accuracy": 0.2 if count else None,
                       "predicted_mass": SHARES[band] * (1 + alpha * (3 - band) / 4)}  # fmt: skip
    total = sum(band["tokens"] for band in bands.values())
    ce = sum(band["tokens"] * (band["ce"] or 0) for band in bands.values()) / total
    return {"eval_loss": ce, "eval_ce": ce, "eval_ppl": math.exp(ce), "eval_tokens": total, "eval_accuracy": 0.3, "eval_bands": bands}


def metrics(alpha, seed, gain, piece="\u2581the"):
    """The lines of metrics.jsonl, without the last one."""
    source = random.Random(1000 + seed)
    shares = {name: {"tokens": round(1e5 * share), "weight_share": share} for name, share in zip(BANDS, SHARES, strict=True)}
    token = {"id": 5, "piece": piece, "count": 999, "weight": 0.2, "weight_share": 0.1}
    lines = [{"event": "start", "parameters": 1000, "trainable_parameters": 1000, "num_tokens": 100_000, "steps": STEPS,
              "rows": 2000, "documents": 500, "empty_documents": 0, "w_min": 0.1, "w_mean": 0.3, "w_max": 0.9, "n_eff": 0.8,
              "rare_share": 0.01, "unseen_weight_share": 0.0, "weight_bands": shares, "cap": None, "top_tokens": [token]}]  # fmt: skip
    for step in range(1, STEPS + 1):
        ce = 4 + 3 * math.exp(-step / 60) + source.gauss(0, 0.1) + 0.1 * alpha
        lines.append({"event": "train", "step": step, "loss": ce + alpha, "ce": ce, "ppl": math.exp(ce), "learning_rate": 2e-05,
                      "grad_norm": 1.0, "epoch": 0.1, "num_tokens": 500 * step, "n_eff": 1.0, "skipped_steps": 0})  # fmt: skip
        if step % CONFIG["eval_steps"] == 0:
            lines.append({"event": "eval", "step": step, **eval_fields(alpha, step, gain)})
    return lines


def samples(alpha, seed, prompts, text=""):
    """The lines of samples.jsonl."""
    lines = []
    for step in range(CONFIG["eval_steps"], STEPS + 1, CONFIG["eval_steps"]):
        for index, prompt in enumerate(prompts):
            written = f" went to the sea at step {step}, and the {'rare' if alpha else 'house'} was old.{text}"
            lines.append({"step": step, "prompt_index": index, "sample": 0, "prompt": prompt, "text": written, "ids": [1, 2],
                          "logprobs": [-1.0, -2.0], "finish_reason": "length", "seed": seed})  # fmt: skip
    return lines


def text_quality(alpha):
    """The object text_quality of eval."""
    def values(shift):
        return {"distinct_1": 0.2 + shift, "distinct_2": 0.5 + shift, "js_bigram": 0.24 + shift, "zipf": 1.1 - shift,
                "self_bleu_4_skipped": 0, "tokens": 4096, "mtld": 60 + 100 * shift, "judge_nll": None}  # fmt: skip

    return {"samples": 64, "prompt_tokens": 32, "max_new_tokens": 64, "rare_below": 500, "rep_128": 0.4, "wrep_128": 0.2, "uniq": 90,
            "generated": values(0.1 + alpha / 5), "human": values(0), "floor": values(0.01)}  # fmt: skip


def to_lines(objects):
    return "".join(json.dumps(line) + "\n" for line in objects)


def write_run(folder, alpha, seed, gain=0.2, number=40, prompts=("The sea", "Once"), text="", noise=1.0, exist_ok=False, **config):
    """Writes a finished run; returns its folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=exist_ok)
    own = {**CONFIG, "pdl_alpha": alpha, "seed": seed, "output_dir": str(folder), **config}
    (folder / "config.json").write_text(json.dumps(own, indent=2) + "\n")
    lines = metrics(alpha, seed, gain)
    summary = {"status": "finished", "exit_code": 0, "steps": STEPS, "num_tokens": 500 * STEPS, "wall_seconds": 12.5,
               "final": {"step": STEPS, **eval_fields(alpha, STEPS, gain)}, "best": None,
               "compute": {"device": "cpu", "kernels": "AVX2", "num_threads": 2},
               "versions": {"pdl-train": "0.1.0", "libtorch": "2.13.0"}, "git_hash": "0123456789ab"}  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (folder / "metrics.jsonl").write_text(to_lines([*lines, {"event": "end", **summary}]))
    (folder / "documents.jsonl").write_text(to_lines(documents(alpha, seed, gain, number, noise=noise)))
    (folder / "samples.jsonl").write_text(to_lines(samples(alpha, seed, prompts, text)))
    (folder / "frequency.json").write_text('{"counts": [1, 2, 3]}\n')
    return folder


def write_sweep(root, alphas=(0.0, 0.25, 0.5), seeds=(1, 2, 3, 4, 5), **options):
    """Writes a run for each alpha and seed as `sweep` names them; returns the folders."""
    return [write_run(pathlib.Path(root) / f"alpha={alpha:g}" / f"seed={seed}", alpha, seed, **options)
            for alpha in alphas for seed in seeds]  # fmt: skip
