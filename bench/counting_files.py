"""The files that bench/counting.py measures with: texts, tokenizers, and a program of its own."""

import hashlib
import os
import shutil

from counting_report import KINDS
from measuring import FOLDER, RunError, call, log, write_json

MEGABYTE = 10**6
SIZES = (10, 100, 1000)  # of the texts that bench/text.py writes, in megabytes


def text_paths(folder):
    """The texts that are there, the smallest first."""
    paths = [os.path.join(folder, f"text-{size}.txt") for size in SIZES]
    return [path for path in paths if os.path.isfile(path)]


class Work:
    """The files of a measurement. Trained tokenizers are kept for the next one."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder  # for this measurement alone
        self.env = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "RAYON_NUM_THREADS": str(options.threads),
            "TOKENIZERS_PARALLELISM": "true",
        }
        slow_megabytes = min(options.megabytes, max(3, options.megabytes // 10))
        largest = text_paths(options.text)[-1]
        self.text = self.cut(largest, "text", options.megabytes * MEGABYTE)
        self.slow_text = self.cut(largest, "slow", slow_megabytes * MEGABYTE)
        self.line = self.cut(largest, "line", 1)
        self.tokenizers = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def cut(self, source, name, size):
        """A file of the first lines of a text, as many as at least `size` bytes take."""
        target = self.path(name + ".txt")
        with open(source, "rb") as read, open(target, "wb") as written:
            while written.tell() < size and (line := read.readline()):
                written.write(line)
        if os.path.getsize(target) < size:
            raise RunError(f"{source}: fewer than {size} bytes; make a larger one with bench/text.py")
        return target

    def sample(self):
        """Lines from everywhere in the text, on which tokenizers are trained."""
        target = self.path("sample.txt")
        stride = -(-os.path.getsize(self.text) // (self.options.sample_megabytes * MEGABYTE))
        with open(self.text, "rb") as read, open(target, "wb") as written:
            written.writelines(line for i, line in enumerate(read) if i % stride == 0)
        return target

    def tokenizer(self, kind):
        """Path of the tokenizer of a kind, trained unless it is there."""
        if kind == "bpe" and self.options.sentencepiece:
            return self.options.sentencepiece
        if kind in self.tokenizers:
            return self.tokenizers[kind]
        sample, size = self.sample(), str(self.options.vocab_size)
        with open(sample, "rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        os.makedirs(self.options.work, exist_ok=True)
        suffix = "json" if kind == "bytes" else "model"
        path = os.path.join(self.options.work, f"{kind}-{size}-{name}.{suffix}")
        if not os.path.isfile(path):
            log(f"training a tokenizer: {KINDS[kind]}, {size} pieces")
            script = os.path.join(FOLDER, "train_tokenizer.py")
            call([self.options.python, script, kind, sample, path + ".part", size], self.env)
            os.replace(path + ".part", path)
        self.tokenizers[kind] = path
        return path

    def transformers_folder(self, model):
        """A folder that transformers loads a SentencePiece model from, as it would Llama's."""
        folder = self.path("transformers")
        os.makedirs(folder, exist_ok=True)
        shutil.copy(model, os.path.join(folder, "tokenizer.model"))
        config = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False}
        write_json(os.path.join(folder, "tokenizer_config.json"), config)
        return folder

    def sentencepiece_encode(self):
        """Path of the C++ program, built from bench/sentencepiece_encode.cpp."""
        target = self.path("sentencepiece_encode")
        if not os.path.isfile(target):
            flags = call(["pkg-config", "--cflags", "--libs", "sentencepiece"], self.env).split()
            source = os.path.join(FOLDER, "sentencepiece_encode.cpp")
            call(["g++", "-O3", "-DNDEBUG", "-std=c++20", source, "-o", target, *flags], self.env)
        return target
