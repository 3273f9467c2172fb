"""Hugging Face Trainer with the weighted loss: trainer.py JOB."""

import contextlib
import sys
import tempfile

import transformers
import work


class PowerLawTrainer(transformers.Trainer):
    """A Trainer whose loss is the weighted mean over a step of one micro-batch."""

    # compute_loss divides by the weight sum of the whole step.
    loss_is_scaled_for_ga = True

    def __init__(self, weights, **arguments):
        super().__init__(**arguments)
        self.weights = weights
        self.last_loss = None

    def get_decay_parameter_names(self, model):
        # Nothing is decayed, and the original cannot walk through a TorchScript model.
        return [name for name, _ in model.named_parameters()]

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(input_ids=inputs["input_ids"])
        loss = work.weighted_loss(outputs["logits"], inputs["targets"], self.weights)
        self.last_loss = loss.detach()
        return (loss, outputs) if return_outputs else loss


class RecordSteps(transformers.TrainerCallback):
    """Begins before the first batch is fetched; a step ends after the update."""

    def __init__(self, record):
        self.record = record
        self.trainer = None

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.record.begin()

    def on_step_end(self, args, state, control, **kwargs):
        self.record.end_step(self.trainer.last_loss)


def make_arguments(job, folder):
    return transformers.TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=job["rows_per_step"],
        max_steps=job["steps"],
        learning_rate=job["learning_rate"],
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        max_grad_norm=1.0,
        train_sampling_strategy="sequential",  # The order of the other programs.
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=True,
    )


def main():
    job = work.load_job()
    rows = work.load_rows(job)
    needed = job["rows_per_step"] * job["steps"]
    dataset = [{"input_ids": row, "targets": work.targets_of(row)} for row in rows[:needed]]
    record = work.Record()
    callback = RecordSteps(record)
    with tempfile.TemporaryDirectory() as folder:
        trainer = PowerLawTrainer(
            weights=work.make_weights(job, rows),
            model=work.load_model(job),
            args=make_arguments(job, folder),
            train_dataset=dataset,
            data_collator=transformers.default_data_collator,
            callbacks=[callback],
        )
        callback.trainer = trainer
        # Trainer prints a summary to stdout, where the record goes.
        with contextlib.redirect_stdout(sys.stderr):
            trainer.train()
    record.print()


if __name__ == "__main__":
    main()
