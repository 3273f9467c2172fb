#!/usr/bin/env python3
"""What `pdl-train` says and leaves behind when it cannot resume: a changed job, a damaged checkpoint.

    .venv/bin/python tests/cli/resume_errors_test.py --binary build/release/pdl-train

The binary may also be named by PDL_TRAIN_BINARY. The Python needs torch.
"""

import hashlib
import json
import pathlib
import shutil
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import program  # noqa: E402
import refusals  # noqa: E402
from refusals import CHECKPOINT, CONFIG, DATA, MODEL  # noqa: E402
from refused_jobs import NESTED, RefusedJobs, run  # noqa: E402
from torchscript_models import save_model  # noqa: E402


def rehash(checkpoint, name, content):
    """Replaces a file of a checkpoint and makes the manifest agree with it."""
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / "MANIFEST.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (checkpoint / "MANIFEST.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


class Refusals(RefusedJobs):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = cls.copies(cls.folder, "trained")
        for folder in cls.trained:  # in place, because a checkpoint holds the absolute paths of its job
            run(["--config", "run.json"], folder)

    @classmethod
    def make_files(cls, folder):
        save_model(folder / "good.pt")

    def test_resume_with_changes(self):
        def with_file(change):
            """Observes the job while one of its files is another one."""

            def observe(name, arguments, folder):
                path = pathlib.Path(folder) / name
                good = path.read_bytes()
                path.write_bytes(change(good, folder))
                try:
                    return refusals.observe(arguments, folder)
                finally:
                    path.write_bytes(good)

            return observe

        other_text = with_file(lambda good, _: good.replace(b"a", b"o", 1))
        other_model = with_file(lambda _, folder: (pathlib.Path(folder) / "good.pt").read_bytes())
        rows = [
            ("learning rate", ["--learning_rate", "0.5"], [CONFIG]),
            ("seed", ["--seed", "7"], [CONFIG]),
            ("max_length", ["--max_length", "16"], [CONFIG]),
            ("pdl_alpha", ["--pdl_alpha", "0.5"], [CONFIG]),
            ("freeze", ["--freeze", "token_embedding"], [CONFIG]),
            ("other text", ["--train_files", "eval.txt"], [CONFIG, DATA]),
            ("other model", ["--model_path", "good.pt"], [CONFIG, MODEL, CHECKPOINT]),
            ("never", ["--resume_from_checkpoint", "never"], [CONFIG]),
            ("output of a run", ["--resume_from_checkpoint", "out"], [CONFIG, CHECKPOINT]),
            ("changed text of the same name", [], [CONFIG, DATA], "train.txt", other_text),
            ("changed model of the same name", [], [CONFIG, MODEL, CHECKPOINT], "model.pt", other_model),
        ]

        def observe(row, folder):
            arguments = ["--config", "run.json", "--max_steps", "6", *row[1]]
            return row[4](row[3], arguments, folder) if row[3:] else refusals.observe(arguments, folder)

        self.assert_all_refused(rows, self.trained, observe)

    def test_empty_checkpoint(self):
        def observe(row, folder):
            (pathlib.Path(folder) / "only" / "checkpoint-5").mkdir(parents=True, exist_ok=True)
            return refusals.observe(row[1], folder)

        flags = ["--config", "run.json", "--output_dir", "only"]
        self.assert_all_refused([("empty", flags, [CHECKPOINT])], observe_one=observe)

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
        def observe(row, folder):
            out = pathlib.Path(folder) / "damaged"
            shutil.copytree(pathlib.Path(folder) / "out" / "checkpoint-4", out / "checkpoint-4")
            row[3](out / "checkpoint-4")
            try:
                return refusals.observe(row[1], folder)
            finally:
                shutil.rmtree(out)

        flags = ["--config", "run.json", "--max_steps", "6", "--output_dir", "damaged"]
        rows = [(name, flags, [CHECKPOINT], damage) for name, damage in cases]
        self.assert_all_refused(rows, self.trained, observe)

    def test_damaged_newest_checkpoint_falls_back(self):
        out = pathlib.Path(self.trained[0]) / "fallback"
        shutil.copytree(out.parent / "out", out)
        (out / "checkpoint-4" / "MANIFEST.json").unlink()
        run(["--config", "run.json", "--output_dir", "fallback"], out.parent)
        shutil.rmtree(out)


if __name__ == "__main__":
    program.main()
