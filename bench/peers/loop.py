"""A plain PyTorch training loop: loop.py JOB [--compile] [--bf16]."""

import sys

import torch
import work


def main():
    job = work.load_job()
    rows = work.load_rows(job)
    weights = work.make_weights(job, rows)
    model = work.load_model(job).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=job["learning_rate"], weight_decay=0.0, fused=True
    )

    def loss_of(ids, targets):
        with torch.autocast("cpu", torch.bfloat16, enabled="--bf16" in sys.argv):
            logits = model(input_ids=ids, use_cache=False)["logits"]
        return work.weighted_loss(logits, targets, weights)

    if "--compile" in sys.argv:
        loss_of = torch.compile(loss_of)

    record, size = work.Record(), job["rows_per_step"]
    record.begin()
    for step in range(job["steps"]):
        batch = rows[step * size : (step + 1) * size]
        ids, targets = torch.tensor(batch), torch.tensor(list(map(work.targets_of, batch)))
        loss = loss_of(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        record.end_step(loss)
    record.print()


if __name__ == "__main__":
    main()
