"""What tests of native models share: tiny folders, and scripts/native_comparison run on them."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))

import native_families  # sets up transformers: before it is used
import numpy
import program
import torch
import transformers
from native_comparison import comparison, sequences
from native_comparison.program import ProgramError
from safetensors.torch import load_file, save_file

transformers.logging.disable_progress_bar()
torch.set_num_threads(1)

VOCAB = native_families.VOCAB
MAX_LENGTH = 19
LENGTHS = (6, 17, 2, 29, 23)  # of documents, which begin and end within sequences

# A step's loss is a mean over some 70 targets in float32.
BOUNDS = {"loss": 1e-6, "ce": 1e-6, "eval_ce": 1e-6, "saved eval_ce": 1e-6}


def run(*arguments):
    """Runs the program and returns its stdout."""
    process = program.run(*arguments, timeout_s=120)
    if process.returncode != 0:
        raise ProgramError(f"exit code {process.returncode}: {process.stderr.strip()[-400:]}")
    return process.stdout


def read_config(folder):
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def write_config(folder, config):
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


class NativeComparisonCase(unittest.TestCase):
    """Has a folder for each test, and the same random documents for all."""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.data = cls.make_data(pathlib.Path(temporary.name))

    @classmethod
    def make_data(cls, folder):
        generator = numpy.random.default_rng(0)
        paths, documents = [], []
        for index, length in enumerate(LENGTHS):
            ids = generator.integers(0, VOCAB, length)
            paths.append(str(folder / f"{index}.npy"))
            numpy.save(paths[-1], ids.astype(numpy.int32))
            documents.append(sequences.Document(ids.tolist(), [1] * length))
        rows = sequences.pack(documents, MAX_LENGTH)
        keys = {"train_files": paths, "eval_files": paths, "max_length": MAX_LENGTH}
        return comparison.Data(keys, rows, rows)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.scratch = pathlib.Path(temporary.name)

    def make_folder(self, variant, name="model", **saving):
        """Saves the model of a variant, and returns its folder."""
        folder = self.scratch / name
        native_families.make_model(variant).save_pretrained(folder, **saving)
        return folder

    def compared(self, folder, checks_sequences=False):
        scratch = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        return comparison.Comparison(folder, scratch, run, 1, checks_sequences)

    def assert_equal(self, differences):
        """Requires differences to be within their bounds."""
        bounds = {**comparison.BOUNDS, **BOUNDS}
        wrong = {key: value for key, value in differences.items() if not value <= bounds[key]}
        self.assertEqual(wrong, {})

    def assert_one_step_equal(self, folder, **options):
        self.assert_equal(self.compared(folder).gradients(self.data, **options))

    def train(self, folder, name="run", **keys):
        """Trains a folder and returns the job."""
        job = self.compared(folder).job(name, {**self.data.keys, "max_steps": 1, **keys})
        job.start()
        return job


def saved(job):
    """The tensors of the folder that a job saved, which is one file."""
    return load_file(job.output / "model" / "model.safetensors")


def stored(folder):
    return load_file(folder / "model.safetensors")


def rewrite(folder, tensors, metadata={"format": "pt"}):  # noqa: B006
    """Replaces the tensors of a folder."""
    copies = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    save_file(copies, folder / "model.safetensors", metadata=metadata)
