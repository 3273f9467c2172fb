#!/usr/bin/env python3
"""What `pdl-train` says and leaves behind when a job cannot start: one line, the right exit code, no files.

    .venv/bin/python tests/cli/errors_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. Each row of a table below is a name, what is
changed in a good job, and the exit codes the contract allows. The Python needs torch.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402

CONFIG, DATA, MODEL, CHECKPOINT, STORAGE = 2, 3, 4, 5, 6
TIMEOUT_S = 20
MAX_MESSAGE = 300
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (info|warning): ?|  ")
NESTED = "[" * 200_000


# Processes at a time; most of what a refusal takes is the loading of LibTorch.
WORKERS = int(os.environ.get("PDL_TEST_WORKERS", "2"))

LOGITS = "(torch.embedding(self.weight, input_ids) @ self.weight.t())"

TEN_LINES = "broken, in many lines\\n" * 10

# File name, parameters of forward, its body, and options of `save_model`.
MODELS = [
    ("good.pt", "input_ids", f"return {LOGITS}", {}),
    ("two_arguments.pt", "input_ids, mask", f"return {LOGITS} * mask", {}),
    ("no_arguments.pt", None, "return self.weight", {}),
    ("text_argument.pt", "input_ids: str", "return self.weight", {}),
    ("list_argument.pt", "input_ids: List[int]", "return self.weight", {}),
    ("no_forward.pt", "input_ids", f"return {LOGITS}", {"method": "score"}),
    ("logits_2d.pt", "input_ids", f"return {LOGITS}[:, 0]", {}),
    ("logits_4d.pt", "input_ids", f"return {LOGITS}.unsqueeze(0)", {}),
    ("logits_scalar.pt", "input_ids", f"return {LOGITS}.sum()", {}),
    ("logits_int.pt", "input_ids", f"return {LOGITS}.long()", {}),
    ("logits_short_t.pt", "input_ids", f"return {LOGITS}[:, 1:]", {}),
    ("logits_short_b.pt", "input_ids", f"return {LOGITS}[1:]", {}),
    ("logits_no_width.pt", "input_ids", f"return {LOGITS}[:, :, :0]", {}),
    ("logits_narrow.pt", "input_ids", f"return {LOGITS}[:, :, :300]", {}),
    ("logits_detached.pt", "input_ids", f"return {LOGITS}.detach()", {}),
    ("gives_text.pt", "input_ids", "return 'logits'", {}),
    ("gives_nothing.pt", "input_ids", "return None", {}),
    ("gives_tuple_of_int.pt", "input_ids", f"return (1, {LOGITS})", {}),
    ("gives_other_dict.pt", "input_ids", f"return {{'scores': {LOGITS}}}", {}),
    ("raises.pt", "input_ids", "raise RuntimeError('broken on purpose')", {}),
    ("raises_long.pt", "input_ids", f"raise RuntimeError('{TEN_LINES * 10}')", {}),
    ("narrow.pt", "input_ids", f"return {LOGITS}", {"vocabulary": 300}),
    ("float64.pt", "input_ids", f"return {LOGITS}", {"dtype": torch.float64}),
    ("fixed_parameters.pt", "input_ids", f"return {LOGITS}", {"trainable": False}),
    ("buffers.pt", "input_ids", f"return {LOGITS}", {"parameters": False}),
    ("positions.pt", "input_ids",
     f"return {LOGITS} + torch.embedding(self.positions, torch.arange(input_ids.size(1)))[:, :1]",
     {"positions": 16}),
]  # fmt: skip

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
    *[(f"model {row[0]}", ["--model_path", row[0]], [MODEL]) for row in MODELS[1:]],
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

# Run with a standard output that cannot be written to.
FULL_DISK = [
    ["schema"],
    ["--version"],
    ["weights", "table.json"],
    ["count", "--tokenizer_path", "tokenizer.model", "eval.txt"],
    ["tokenize", "--tokenizer_path", "tokenizer.model", "eval.txt"],
    ["eval", "--config", "run.json"],
    ["check", "--config", "run.json"],
]


def run(arguments, folder, stdout=subprocess.PIPE):
    """Runs the program; bytes in, bytes out."""
    return subprocess.run(
        [program.binary(), *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=False,
    )


def snapshot(folder):
    """Every entry below `folder` with what changes when it is written to."""
    entries = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        status = path.lstat()
        entries[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return entries


def save_model(path, parameters, body, *, method="forward", vocabulary=384, dtype=torch.float32,
               trainable=True, parameters_kept=True, positions=0):  # fmt: skip
    signature = "self" if parameters is None else f"self, {parameters}"

    class Model(torch.jit.ScriptModule):
        def __init__(self):
            super().__init__()
            tensors = {"weight": torch.randn(vocabulary, 8).to(dtype)}
            if positions:
                tensors["positions"] = torch.randn(positions, 8)
            for name, tensor in tensors.items():
                if parameters_kept:
                    self.register_parameter(name, torch.nn.Parameter(tensor, trainable))
                else:
                    self.register_buffer(name, tensor)
            self.define(f"def {method}({signature}):\n  {body}\n")

    Model().save(str(path))


def observe(arguments, folder, stdout=None):
    """The completed process, or None, and what changed below `folder`; new entries are removed."""
    before = snapshot(folder)
    try:
        process = run(arguments, folder, stdout or subprocess.PIPE)
    except subprocess.TimeoutExpired:
        process = None
    after = snapshot(folder)
    changes = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    for path in sorted(after.keys() - before.keys(), reverse=True):
        pathlib.Path(path).rmdir() if os.path.isdir(path) else os.unlink(path)
    return process, sorted(changes)


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
        # A read from it fails for everyone, root too.
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
    for name, parameters, body, options in MODELS:
        options = dict(options)
        options["parameters_kept"] = options.pop("parameters", True)
        save_model(folder / name, parameters, body, **options)
    with zipfile.ZipFile(folder / "zip.pt", "w") as archive:
        archive.writestr("model/readme.txt", "no model")
    torch.save(torch.nn.Linear(2, 2), folder / "pickle.pt")
    torch.save({"weight": torch.zeros(2, 2)}, folder / "state_dict.pt")
    for name, size in (("half", len(good_model) // 2), ("start", 100), ("end", len(good_model) - 50)):
        (folder / f"cut_{name}.pt").write_bytes(good_model[:size])

    process = run(["count", "--config", "run.json", "--output", "table.json"], folder)
    assert process.returncode == 0, process.stderr
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


def rehash(checkpoint, name, content):
    """Replaces a file of a checkpoint and makes the manifest agree with it."""
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / "MANIFEST.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (checkpoint / "MANIFEST.json").write_text(json.dumps(manifest))


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name) / "job"
        process = run(["init", cls.folder, "--preset", "tiny"], cls.temporary.name)
        assert process.returncode == 0, process.stderr
        config = {
            "model_path": "model.pt", "tokenizer_path": "tokenizer.model", "train_files": "train.txt",
            "eval_files": "eval.txt", "text_document": "paragraph", "output_dir": "out",
            "max_length": 32, "max_steps": 4, "num_threads": 1, "eval_max_batches": 1,
            "save_steps": 2, "tensorboard": False,
        }  # fmt: skip
        (cls.folder / "run.json").write_text(json.dumps(config))
        make_files(cls.folder)
        cls.folders = queue.Queue()
        for number in range(WORKERS):
            copy = f"{cls.folder}-{number}"
            shutil.copytree(cls.folder, copy, symlinks=True)
            cls.folders.put(copy)
        shutil.copytree(cls.folder, f"{cls.folder}-trained", symlinks=True)
        cls.trained = pathlib.Path(f"{cls.folder}-trained")
        process = run(["--config", "run.json"], cls.trained)
        assert process.returncode == 0, process.stderr

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def assert_all_refused(self, rows):
        """Runs the rows (name, arguments, codes), each in a copy of the job that no other uses."""

        def observe_one(row):
            folder = self.folders.get()
            try:
                return observe(row[1], folder)
            finally:
                self.folders.put(folder)

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            outcomes = list(pool.map(observe_one, rows))
        for (name, _, codes), outcome in zip(rows, outcomes, strict=True):
            with self.subTest(name):
                self.assert_refusal(outcome, codes)

    def assert_refused(self, arguments, codes, *, folder=None, stdout=None):
        return self.assert_refusal(observe(arguments, folder or self.folder, stdout), codes)

    def assert_refusal(self, outcome, codes):
        """Holds the outcome of `observe` to the contract and returns the message."""
        process, changes = outcome
        self.assertIsNotNone(process, f"not done after {TIMEOUT_S} s")
        message = process.stderr.decode()  # Not UTF-8 is an error of its own.
        self.assertIn(process.returncode, codes, message[-1000:])
        lines = message.split("\n")
        errors = [line for line in lines if line.startswith("error:")]
        self.assertEqual(len(errors), 1, message[-1000:])
        for phrase in ("terminate called", "Traceback", "frame #", "C++ exception", "\x1b"):
            self.assertNotIn(phrase, message)
        if process.returncode != CONFIG:
            self.assertLessEqual(len(errors[0]), MAX_MESSAGE)
            other = [line for line in lines if line and line != errors[0]]
            self.assertEqual([line for line in other if not LOG_LINE.match(line)], [])
        self.assertLessEqual(max(len(line) for line in lines if line), 1000)
        self.assertIn(process.stdout, (None, b""))
        self.assertEqual(changes, [], "created or changed")
        return message

    def test_jobs(self):
        without_cuda = ("device cuda", "device cuda:0")
        self.assert_all_refused([
            (name, ["--config", "run.json", *flags], codes)
            for name, flags, codes in REFUSALS
            if name not in without_cuda or not torch.cuda.is_available()
        ])

    def test_configs(self):
        for name, content, part in BAD_CONFIGS:
            (self.folder / "bad.json").write_bytes(content)
            with self.subTest(name):
                message = self.assert_refused(["--config", "bad.json"], [CONFIG])
                self.assertIn(part, message)

    def test_usage(self):
        self.assert_all_refused(USAGE)

    def test_full_disk(self):
        for arguments in FULL_DISK:
            with self.subTest(arguments[0]), open("/dev/full", "wb") as full:
                self.assert_refused(arguments, [STORAGE], stdout=full)

    def test_config_before_other_blames(self):
        flags = ["--model_path", "missing.pt", "--train_files", "missing.txt", "--max_length", "1"]
        self.assert_refused(["--config", "run.json", *flags], [CONFIG])

    def test_resume_with_changes(self):
        more = ["--config", "run.json", "--max_steps", "6"]
        cases = [
            ("learning rate", ["--learning_rate", "0.5"], [CONFIG]),
            ("seed", ["--seed", "7"], [CONFIG]),
            ("max_length", ["--max_length", "16"], [CONFIG]),
            ("pdl_alpha", ["--pdl_alpha", "0.5"], [CONFIG]),
            ("freeze", ["--freeze", "token_embedding"], [CONFIG]),
            ("other text", ["--train_files", "eval.txt"], [CONFIG, DATA]),
            ("other model", ["--model_path", "good.pt"], [CONFIG, MODEL, CHECKPOINT]),
            ("never", ["--resume_from_checkpoint", "never"], [CONFIG]),
            ("output of a run", ["--resume_from_checkpoint", "out"], [CONFIG, CHECKPOINT]),
        ]
        for name, flags, codes in cases:
            with self.subTest(name):
                self.assert_refused([*more, *flags], codes, folder=self.trained)
        with self.subTest("changed text of the same name"):
            text = self.trained / "train.txt"
            good = text.read_bytes()
            text.write_bytes(good.replace(b"a", b"o", 1))
            self.assert_refused(more, [CONFIG, DATA], folder=self.trained)
            text.write_bytes(good)
        with self.subTest("changed model of the same name"):
            model = self.trained / "model.pt"
            good = model.read_bytes()
            shutil.copy(self.trained / "good.pt", model)
            self.assert_refused(more, [CONFIG, MODEL, CHECKPOINT], folder=self.trained)
            model.write_bytes(good)

    def test_empty_checkpoint(self):
        folder = self.folder / "only"
        (folder / "checkpoint-5").mkdir(parents=True)
        flags = ["--config", "run.json", "--output_dir", "only"]
        self.assert_refused(flags, [CHECKPOINT])
        shutil.rmtree(folder)

    def test_damaged_checkpoints(self):
        def cut(name, size):
            def damage(checkpoint):
                content = (checkpoint / name).read_bytes()
                (checkpoint / name).write_bytes(content[:size])

            return damage

        def flip(name):
            def damage(checkpoint):
                content = bytearray((checkpoint / name).read_bytes())
                content[-5] ^= 1
                (checkpoint / name).write_bytes(content)

            return damage

        def replaced(name, change):
            return lambda point: rehash(point, name, change((point / name).read_bytes()))

        huge = struct.pack("<Q", 2**63)
        cases = [
            ("no manifest", lambda point: (point / "MANIFEST.json").unlink()),
            ("empty manifest", cut("MANIFEST.json", 0)),
            ("cut manifest", cut("MANIFEST.json", 60)),
            ("nested manifest", lambda p: (p / "MANIFEST.json").write_text('{"files": ' + NESTED)),
            ("manifest without files", lambda p: (p / "MANIFEST.json").write_text("{}")),
            ("no model", lambda point: (point / "model.safetensors").unlink()),
            ("cut model", cut("model.safetensors", 1000)),
            ("flipped model", flip("model.safetensors")),
            ("flipped optimizer", flip("optimizer.safetensors")),
            ("flipped state", flip("trainer_state.json")),
            ("state of nothing", replaced("trainer_state.json", lambda _: b"{}")),
            ("state nested", replaced("trainer_state.json", lambda _: NESTED.encode())),
            ("model empty, hashed", replaced("model.safetensors", lambda _: b"")),
            ("model cut, hashed", replaced("model.safetensors", lambda data: data[:-4])),
            ("model huge header", replaced("model.safetensors", lambda data: huge + data[8:])),
            ("model without tensors",
             replaced("model.safetensors", lambda _: struct.pack("<Q", 2) + b"{}")),
            ("model of other names",
             replaced("model.safetensors", lambda data: data.replace(b"final_norm", b"other_norm"))),
            ("optimizer cut, hashed", replaced("optimizer.safetensors", lambda data: data[:500])),
        ]  # fmt: skip
        good = self.trained / "out"
        for name, damage in cases:
            out = self.trained / "damaged"
            (out / "checkpoint-4").parent.mkdir()
            shutil.copytree(good / "checkpoint-4", out / "checkpoint-4")
            damage(out / "checkpoint-4")
            flags = ["--config", "run.json", "--max_steps", "6", "--output_dir", "damaged"]
            with self.subTest(name):
                self.assert_refused(flags, [CHECKPOINT], folder=self.trained)
            shutil.rmtree(out)

    def test_damaged_newest_checkpoint_falls_back(self):
        out = self.trained / "fallback"
        shutil.copytree(self.trained / "out", out)
        (out / "checkpoint-4" / "MANIFEST.json").unlink()
        flags = ["--config", "run.json", "--output_dir", "fallback"]
        process = run(flags, self.trained)
        shutil.rmtree(out)
        self.assertEqual(process.returncode, 0, process.stderr)


if __name__ == "__main__":
    program.main()
