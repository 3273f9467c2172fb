#!/usr/bin/env python3
"""A run resumed after any step writes the metrics and the weights of the uninterrupted one, byte for byte."""

import itertools
import shutil

import harness

ALPHAS = (0, 0.25)
ACCUMULATIONS = (1, 4)
PACKINGS = ("true", "false")


def flags_of(alpha, accumulation, packing):
    """With lines every third step their sums are part of what must be resumed, and so is a rising alpha."""
    return (
        *("--pdl_alpha", alpha, "--gradient_accumulation_steps", accumulation, "--packing", packing),
        *("--logging_steps", 1 if accumulation == 1 else 3),
        *("--pdl_alpha_warmup_steps", 0 if packing == "true" else 30),
    )


class ResumeEveryStepTest(harness.TestCase):

    def test_resume_after_any_step(self):
        steps = range(1 if harness.options.full else 6, harness.STEPS + 1, 1 if harness.options.full else 6)
        jobs = {
            f"alpha={alpha},accumulation={accumulation},packing={packing}": flags_of(alpha, accumulation, packing)
            for alpha, accumulation, packing in itertools.product(ALPHAS, ACCUMULATIONS, PACKINGS)
        }
        wholes = {}

        def whole_of(name):
            if name not in wholes:
                wholes[name] = self.root / name
                every = ("--save_steps", 1, "--save_total_limit", 0)
                harness.run_to_end(self.job, wholes[name], *jobs[name], *every)
            return wholes[name]

        def check(case):
            name, step = case.rsplit(",step=", 1)
            whole = wholes[name]
            resumed = self.root / case
            resumed.mkdir()
            shutil.copy(whole / "metrics.jsonl", resumed)  # its later lines must go
            checkpoint = whole / f"checkpoint-{step}"
            harness.run_to_end(
                *(self.job, resumed, *jobs[name], "--save_steps", 0, "--resume_from_checkpoint", checkpoint)
            )
            harness.assert_same(resumed, whole)
            last = f"checkpoint-{harness.STEPS}"
            if int(step) < harness.STEPS:
                name = "optimizer.safetensors"
                assert (resumed / last / name).read_bytes() == (whole / last / name).read_bytes(), f"{name} differs"
            shutil.rmtree(resumed)

        cases = [f"{name},step={step}" for name in jobs for step in steps]
        for case in cases:
            if harness.options.only in ("", case):
                whole_of(case.rsplit(",step=", 1)[0])
        self.check_each("resumed after a step", cases, check)


if __name__ == "__main__":
    harness.main()
