#!/usr/bin/env python3
"""What `pdl-train` says and leaves behind when a job cannot start: one line, the right exit code, no files.

    .venv/bin/python tests/cli/errors_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. Each row of a table below is a name, what is
changed in a good job, and the exit codes the contract allows. The Python needs torch.
"""

import json
import pathlib
import sys
import zipfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
import refusals  # noqa: E402
from refusals import CHECKPOINT, CONFIG, DATA, MODEL, STORAGE  # noqa: E402
from refused_jobs import NESTED, RefusedJobs, run  # noqa: E402
from torchscript_models import WRONG_MODELS, save_model  # noqa: E402

# Name, flags added to the good job, and allowed exit codes.
REFUSALS = [
    # Training, evaluation and reference texts.
    *[
        (f"{key} {name}", [f"--{key}", name], codes)
        for key in ("train_files", "eval_files", "pdl_reference_files")
        for name, codes in [
            ("missing.txt", [DATA]),
            ("no_match_*.txt", [CONFIG, DATA]),
            ("folder.txt", [DATA]),
            ("empty.txt", [DATA]),
            ("latin1.txt", [DATA]),
        ]
    ],
    ("text blank", ["--train_files", "blank.txt"], [DATA]),
    ("text of one token", ["--train_files", "token.txt", "--add_eos", "false"], [DATA]),
    ("text read error", ["--train_files", "unreadable.txt"], [DATA]),
    ("text UTF-16", ["--train_files", "utf16.txt"], [DATA]),
    ("text cut in a character", ["--train_files", "cut.txt"], [DATA]),
    ("text binary", ["--train_files", "binary.txt"], [DATA]),
    ("text below a file", ["--train_files", "run.json/a.txt"], [DATA]),
    ("text in a loop of links", ["--train_files", "loop.txt"], [DATA]),
    ("text one of two missing", ["--train_files", "train.txt", "missing.txt"], [DATA]),
    ("text without suffix", ["--train_files", "folder.txt/"], [CONFIG, DATA]),
    # Tokenizer.
    *[
        (f"tokenizer {name}", ["--tokenizer_path", name], [MODEL])
        for name in ("missing.model", "empty.model", "folder.model", "text.model", "latin1.model",
                     "unreadable.model", "torch.model", "truncated.model", "stub.model", "tail.model")
    ],
    ("tokenizer suffix", ["--tokenizer_path", "train.txt"], [CONFIG, MODEL]),
    # Frequency table.
    *[
        (f"table {name}", ["--pdl_frequency_table", f"{name}.json"], [DATA])
        for name in ("missing", "empty", "folder", "text", "latin1", "unreadable", "truncated",
                     "nested", "array", "no_counts", "other_format", "other_version", "negative",
                     "fraction", "count_text", "too_large", "length", "total", "other_tokenizer",
                     "narrow", "wide", "all_zero", "version_text", "overflow")
    ],
    ("table too much unseen weight", ["--pdl_frequency_table", "one_token.json"], [DATA]),
    ("reference too much unseen weight",
     ["--pdl_reference_files", "token.txt", "--pdl_max_unseen_share", "0.1"], [DATA]),
    ("unseen error", ["--pdl_frequency_table", "one_token.json", "--pdl_unseen", "error"], [DATA]),
    ("unseen error in evaluation",
     ["--eval_files", "other_letters.txt", "--pdl_unseen", "error"], [DATA]),
    # Model.
    *[(f"model {row[0]}", ["--model_path", row[0]], [MODEL]) for row in WRONG_MODELS],
    *[
        (f"model {name}", ["--model_path", name], [MODEL])
        for name in ("missing.pt", "empty.pt", "folder.pt", "text.pt", "zip.pt", "pickle.pt",
                     "state_dict.pt", "unreadable.pt", "cut_half.pt", "cut_start.pt", "cut_end.pt",
                     "tokenizer.model")
    ],
    # Freezing.
    ("freeze everything", ["--freeze", "."], [CONFIG, MODEL]),
    ("freeze everything in parts", ["--freeze", "token", "blocks", "norm"], [CONFIG, MODEL]),
    ("freeze nothing", ["--freeze", "no_such_parameter"], [CONFIG, MODEL]),
    ("freeze bad regex", ["--freeze", "(a"], [CONFIG]),
    # Output folder.
    ("output is a file", ["--output_dir", "train.txt"], [CONFIG, STORAGE]),
    ("output below a file", ["--output_dir", "train.txt/out"], [CONFIG, STORAGE]),
    ("output in /proc", ["--output_dir", "/proc/no/out"], [CONFIG, STORAGE]),
    ("output is a device", ["--output_dir", "/dev/null"], [CONFIG, STORAGE]),
    ("output name too long", ["--output_dir", "x" * 256], [CONFIG, STORAGE]),
    ("output is a dangling link", ["--output_dir", "dangling"], [CONFIG, STORAGE]),
    ("output not empty",
     ["--output_dir", "folder.txt", "--resume_from_checkpoint", "never"], [CONFIG]),
    ("output not UTF-8", ["--output_dir", b"out\xff"], [CONFIG, STORAGE]),
    # Device.
    ("device cuda", ["--device", "cuda"], [CONFIG]),
    ("device cuda:0", ["--device", "cuda:0"], [CONFIG]),
    ("device cuda:99999999999", ["--device", "cuda:99999999999"], [CONFIG]),
    ("device gpu", ["--device", "gpu"], [CONFIG]),
    # Names that would break the line.
    ("model long name", ["--model_path", "/".join(["x" * 200] * 15)], [MODEL]),
    ("model line break", ["--model_path", "a\nerror: b\n.pt"], [MODEL]),
    ("model escape", ["--model_path", "a\x1b[31m.pt"], [MODEL]),
    ("text line break", ["--train_files", "a\nb.txt"], [CONFIG, DATA]),
    ("text not UTF-8 name", ["--train_files", b"\xff.txt"], [CONFIG, DATA]),
    # Resuming.
    ("resume missing", ["--resume_from_checkpoint", "missing"], [CONFIG, CHECKPOINT]),
    ("resume file", ["--resume_from_checkpoint", "train.txt"], [CONFIG, CHECKPOINT]),
    ("resume no checkpoint", ["--resume_from_checkpoint", "folder.txt"], [CONFIG, CHECKPOINT]),
]  # fmt: skip

# Content of run.json, and the part of the message that must be there.
BAD_CONFIGS = [
    ("empty", b"", ""),
    ("blank", b" \n", ""),
    ("text", b"model_path = x\n", ""),
    ("truncated", b'{"model_path": "mod', ""),
    ("array", b"[]", ""),
    ("number", b"1", ""),
    ("null", b"null", ""),
    ("binary", bytes(range(256)), ""),
    ("latin1", '{"model_path": "m\u00e9.pt"}'.encode("latin-1"), ""),
    ("UTF-16", '{"model_path": "m.pt"}'.encode("utf-16"), ""),
    ("nested", b'{"seed": ' + NESTED.encode(), ""),
    ("open comment", b'{"seed": 1 /* }', ""),
    ("duplicate key", b'{"seed": 1, "seed": 2}', "seed"),
    ("unknown key", b'{"pdl_alhpa": 1}', "pdl_alpha"),
    ("two items", b'{"seed": 1} {"seed": 2}', ""),
    ("escape in key", b'{"a\\u001b[31m\\nerror: ": 1}', ""),
    ("lone surrogate", b'{"output_dir": "\\ud800"}', ""),
    ("zero in path", b'{"output_dir": "a\\u0000b"}', "output_dir"),
]

# Name, all arguments of the program, and allowed exit codes.
USAGE = [
    ("nothing", [], [CONFIG]),
    ("unknown flag", ["--config", "run.json", "--no_such_key", "1"], [CONFIG]),
    ("missing value", ["--config", "run.json", "--seed"], [CONFIG]),
    ("missing config value", ["--config"], [CONFIG]),
    ("unknown command", ["trian", "--config", "run.json"], [CONFIG]),
    ("unknown word", ["--config", "run.json", "word"], [CONFIG]),
    ("config missing", ["--config", "missing.json"], [CONFIG]),
    ("config folder", ["--config", "folder.json"], [CONFIG]),
    ("config unreadable", ["--config", "unreadable.json"], [CONFIG]),
    ("config is a model", ["--config", "good.pt"], [CONFIG]),
    ("config not given", ["--seed", "1"], [CONFIG]),
    ("check without config", ["check"], [CONFIG]),
    ("check bad model", ["check", "--config", "run.json", "--model_path", "raises.pt"], [MODEL]),
    ("check bad output", ["check", "--config", "run.json", "--output_dir", "train.txt"],
     [CONFIG, STORAGE]),
    ("init without folder", ["init"], [CONFIG]),
    ("init non-empty", ["init", "folder.txt", "--preset", "tiny"], [CONFIG]),
    ("init file", ["init", "train.txt", "--preset", "tiny"], [CONFIG, STORAGE]),
    ("init below a file", ["init", "train.txt/demo", "--preset", "tiny"], [CONFIG, STORAGE]),
    ("init preset", ["init", "demo", "--preset", "huge"], [CONFIG]),
    ("init preset number", ["init", "demo", "--preset", "1"], [CONFIG]),
    ("schema with a word", ["schema", "word"], [CONFIG]),
    ("count without files", ["count", "--tokenizer_path", "tokenizer.model"], [CONFIG]),
    ("count without tokenizer", ["count", "train.txt"], [CONFIG]),
    ("count missing file", ["count", "--tokenizer_path", "tokenizer.model", "missing.txt"], [DATA]),
    ("count bad text", ["count", "--tokenizer_path", "tokenizer.model", "latin1.txt"], [DATA]),
    ("count bad tokenizer", ["count", "--tokenizer_path", "text.model", "train.txt"], [MODEL]),
    ("count output below a file",
     ["count", "--tokenizer_path", "tokenizer.model", "--output", "train.txt/t.json", "train.txt"],
     [CONFIG, STORAGE]),
    ("count output folder",
     ["count", "--tokenizer_path", "tokenizer.model", "--output", "folder.json", "train.txt"],
     [CONFIG, STORAGE]),
    ("weights without table", ["weights"], [CONFIG]),
    ("weights missing table", ["weights", "missing.json"], [DATA]),
    ("weights truncated table", ["weights", "truncated.json"], [DATA]),
    ("weights bad alpha", ["weights", "table.json", "--pdl_alpha", "-1"], [CONFIG]),
    ("weights bad epsilon", ["weights", "table.json", "--pdl_epsilon", "0"], [CONFIG]),
    ("weights neutral without tokenizer",
     ["weights", "table.json", "--pdl_special_tokens", "neutral"], [CONFIG]),
    ("weights of another tokenizer",
     ["weights", "other_tokenizer.json", "--tokenizer_path", "tokenizer.model"], [DATA]),
    ("weights output below a file", ["weights", "table.json", "--output", "train.txt/w.tsv"],
     [CONFIG, STORAGE]),
    ("tokenize without files", ["tokenize", "--tokenizer_path", "tokenizer.model"], [CONFIG]),
    ("tokenize bad text", ["tokenize", "--tokenizer_path", "tokenizer.model", "latin1.txt"], [DATA]),
    ("eval without eval_files", ["eval", "--config", "run.json", "--eval_files", ""], [CONFIG]),
    ("eval missing file", ["eval", "--config", "run.json", "--eval_files", "missing.txt"], [DATA]),
    ("eval bad model", ["eval", "--config", "run.json", "--model_path", "logits_2d.pt"], [MODEL]),
    ("eval missing model", ["eval", "--config", "run.json", "--model_path", "missing.pt"], [MODEL]),
]  # fmt: skip

# Commands run with a standard output that cannot be written to.
FULL_DISK = [
    ["schema"],
    ["--version"],
    ["weights", "table.json"],
    ["count", "--tokenizer_path", "tokenizer.model", "eval.txt"],
    ["tokenize", "--tokenizer_path", "tokenizer.model", "eval.txt"],
    ["eval", "--config", "run.json"],
    ["check", "--config", "run.json"],
]


def make_files(folder):
    """All good and bad files, by the names that the tables use."""
    good_text = (folder / "train.txt").read_bytes()
    latin1 = "caf\u00e9 ".encode("latin-1") * 100
    for kind in ("txt", "model", "json", "pt"):
        (folder / f"empty.{kind}").write_bytes(b"")
        (folder / f"text.{kind}").write_text("version https://git-lfs.github.com/spec/v1\n")
        (folder / f"latin1.{kind}").write_bytes(latin1)
        (folder / f"folder.{kind}").mkdir()
        (folder / f"folder.{kind}" / "inside").write_text("x")
        # Reading it fails for every user, even root.
        (folder / f"unreadable.{kind}").symlink_to("/proc/self/mem")
    (folder / "blank.txt").write_text(" \n\n\t\n")
    (folder / "token.txt").write_text("k")
    (folder / "utf16.txt").write_bytes("some text\n\n".encode("utf-16") * 100)
    (folder / "cut.txt").write_bytes(good_text[:1000] + "\u00e9".encode()[:1])
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 16)
    (folder / "other_letters.txt").write_text("\u0416\u0417\u0418 " * 50)
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "dangling").symlink_to("no/such/folder")

    tokenizer = (folder / "tokenizer.model").read_bytes()
    (folder / "truncated.model").write_bytes(tokenizer[: len(tokenizer) // 2])
    (folder / "stub.model").write_bytes(tokenizer[:3])
    (folder / "tail.model").write_bytes(tokenizer[100:])

    good_model = (folder / "model.pt").read_bytes()
    (folder / "torch.model").write_bytes(good_model)
    save_model(folder / "good.pt")
    for name, parameters, body, options in WRONG_MODELS:
        save_model(folder / name, parameters, body, **options)
    with zipfile.ZipFile(folder / "zip.pt", "w") as archive:
        archive.writestr("model/readme.txt", "no model")
    torch.save(torch.nn.Linear(2, 2), folder / "pickle.pt")
    torch.save({"weight": torch.zeros(2, 2)}, folder / "state_dict.pt")
    for name, size in (("half", len(good_model) // 2), ("start", 100), ("end", len(good_model) - 50)):
        (folder / f"cut_{name}.pt").write_bytes(good_model[:size])

    run(["count", "--config", "run.json", "--output", "table.json"], folder)
    good = json.loads((folder / "table.json").read_text())
    width = good["vocab_size"]
    counts = good["counts"]

    def table(name, **changes):
        value = {key: entry for key, entry in {**good, **changes}.items() if entry is not None}
        (folder / f"{name}.json").write_text(json.dumps(value))

    def with_counts(name, new, **changes):
        table(name, counts=new, total=sum(new), vocab_size=len(new), **changes)

    (folder / "truncated.json").write_bytes((folder / "table.json").read_bytes()[:-200])
    (folder / "nested.json").write_text('{"format": ' + NESTED)
    (folder / "array.json").write_text("[]")
    table("no_counts", counts=None)
    table("other_format", format="other")
    table("other_version", version=2)
    table("version_text", version="1")
    table("negative", counts=[-1, *counts[1:]])
    table("fraction", counts=[0.5, *counts[1:]])
    table("count_text", counts=["1", *counts[1:]])
    table("too_large", counts=[10**30, *counts[1:]])
    table("overflow", counts=[2**62] * 8 + counts[8:])
    table("length", vocab_size=width + 1)
    table("total", total=good["total"] + 1)
    table("other_tokenizer", tokenizer_sha256="0" * 64)
    with_counts("narrow", counts[:-1])
    with_counts("wide", [*counts, 0])
    with_counts("all_zero", [0] * width)
    with_counts("one_token", [0, 0, 5, *[0] * (width - 3)])


class Refusals(RefusedJobs):
    @classmethod
    def make_files(cls, folder):
        make_files(folder)

    def test_jobs(self):
        without_cuda = ("device cuda", "device cuda:0")
        self.assert_all_refused([
            (name, ["--config", "run.json", *flags], codes)
            for name, flags, codes in REFUSALS
            if name not in without_cuda or not torch.cuda.is_available()
        ])

    def test_configs(self):
        rows = [(name, ["--config", "bad.json"], [CONFIG], content) for name, content, _ in BAD_CONFIGS]

        def observe(row, folder):
            (pathlib.Path(folder) / "bad.json").write_bytes(row[3])
            return refusals.observe(row[1], folder)

        messages = self.assert_all_refused(rows, observe_one=observe)
        for (name, _, part), message in zip(BAD_CONFIGS, messages, strict=True):
            with self.subTest(name):
                self.assertIn(part, message)

    def test_usage(self):
        self.assert_all_refused(USAGE)

    def test_unknown_flags_are_named_in_order_without_their_values(self):
        arguments = ["--config", "run.json", "--learning_rte", "1", "--max_step=4", "--qqqqqqqqq", "x"]
        for command in ([], ["check"]):
            message, = self.assert_all_refused([("three", [*command, *arguments], [CONFIG])])
            self.assertIn("error: unknown flag --learning_rte: did you mean --learning_rate?; "
                          "--max_step: did you mean --max_steps?; --qqqqqqqqq; see "
                          + " ".join(["pdl-train", *command, "--help"]), message)

    def test_a_mistyped_flag_or_command_gets_the_nearest_one(self):
        cases = [
            (["--confg", "run.json"], "unknown flag --confg: did you mean --config?"),
            (["-confg", "run.json"], "unknown flag -confg: did you mean --config?"),
            (["--config", "run.json", "--learning-rate", "1"], "--learning-rate: did you mean --learning_rate?"),
            (["train", "--config", "run.json", "--profle", "x"], "--profle: did you mean --profile?"),
            (["init", "x", "--sead", "1"], "--sead: did you mean --seed?"),
            (["init", "x", "--pre-set=tiny"], "--pre-set: did you mean --preset?"),
            (["check", "--config", "run.json", "--packng", "true"], "--packng: did you mean --packing?"),
            (["count", "--merg", "a.json"], "--merg: did you mean --merge?"),
            (["count", "--tokeniser_path", "t.model", "a.txt"], "--tokeniser_path: did you mean --tokenizer_path?"),
            (["weights", "table.json", "--plt", "w.svg"], "--plt: did you mean --plot?"),
            (["weights", "table.json", "--alpha", "1"], "--alpha: did you mean --pdl_alpha?"),
            (["tokenize", "--add-eos", "true", "a.txt"], "--add-eos: did you mean --add_eos?"),
            (["eval", "--cofnig", "run.json"], "--cofnig: did you mean --config?"),
            (["verify", "--hlep", "x"], "--hlep: did you mean --help?"),
            (["schema", "--hlp"], "--hlp: did you mean --help?"),
            (["chekc", "--config", "run.json"], "unexpected: chekc: did you mean check?"),
            (["--config", "run.json", "--device", "cpu", "--seed", "1", "--\x1b[31m", "1"], "unknown flag --\\u{1b}[31m"),
        ]  # fmt: skip
        rows = [(str(arguments), arguments, [CONFIG]) for arguments, _ in cases]
        for (arguments, part), message in zip(cases, self.assert_all_refused(rows), strict=True):
            with self.subTest(arguments):
                self.assertIn(part, message)

    def test_starts_by_themselves(self):
        """Of the program as the user starts it, beside those that pdl_starter makes."""
        rows = [USAGE[0], USAGE[1], USAGE[6], ("model", ["--config", "run.json", "--model_path", "raises.pt"], [MODEL])]
        outcomes = [refusals.observe(row[1], self.folder, limit=lambda: None) for row in rows]
        for (name, _, codes), outcome in zip(rows, outcomes, strict=True):
            with self.subTest(name):
                self.assertEqual(refusals.problems_of(outcome, codes), [], outcome.message[-1000:])

    def test_full_disk(self):
        rows = [(arguments[0], arguments, [STORAGE]) for arguments in FULL_DISK]
        self.assert_all_refused(
            rows, observe_one=lambda row, folder: refusals.observe(row[1], folder, output="/dev/full")
        )

    def test_config_before_other_blames(self):
        flags = ["--model_path", "missing.pt", "--train_files", "missing.txt", "--max_length", "1"]
        self.assert_all_refused([("three blames", ["--config", "run.json", *flags], [CONFIG])])


if __name__ == "__main__":
    program.main()
