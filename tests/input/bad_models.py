"""Models that must be refused."""

import gzip
import io
import pickle
import random
import tarfile
import zipfile

from bad_case import SPECIAL_FILES, Case

CODES = (4,)


class Command:
    """Would run a command where something unpickles it."""

    def __reduce__(self):
        return (__import__("os").system, ("touch unpickled",))


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def changed_members(content):
    """Archives without the members of a program."""
    members = members_of(content)
    root = next(iter(members)).split("/")[0]
    for name in members:
        if name.endswith(("/version", "/data.pkl", "/constants.pkl")) or "/code/" in name and name.endswith(".py"):
            short = name.removeprefix(root + "/")
            yield f"without {short}", packed({other: value for other, value in members.items() if other != name})
            yield f"{short} empty", packed({**members, name: b""})
            yield f"{short} noise", packed({**members, name: b"\xff\x1b[31m\0" * 50})
            yield f"{short} cut", packed({**members, name: members[name][: len(members[name]) // 2]})
            if name.endswith(".pkl"):
                yield f"{short} a command", packed({**members, name: pickle.dumps(Command(), 2)})
    yield "without tensors", packed({name: value for name, value in members.items() if "/data/" not in name})
    yield "nothing", packed({})
    yield "other members", packed({"model/readme.txt": b"no model"})


def contents(seed, content):
    generator = random.Random(seed)
    for i in range(10):
        size = generator.randrange(4, len(content) - 30)
        yield f"cut at byte {size}", content[:size]
    for i, at in enumerate([content.rindex(b"PK\5\6"), content.rindex(b"PK\1\2"), 0, 2]):
        yield f"signature {i}", content[:at] + b"\0\0" + content[at + 2 :]
    yield from changed_members(content)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, value in members_of(content).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(value)
            archive.addfile(entry, io.BytesIO(value))
    yield from {
        "empty": b"", "text": b"version https://git-lfs.github.com/spec/v1\n", "gzip": gzip.compress(content), "tar": tar.getvalue(),
        "a command": pickle.dumps(Command()), "a pickle": pickle.dumps({"weight": [1.0]}, 2), "a Zip head": b"PK\3\4", "zeros": bytes(5000),
        "noise behind a head": b"PK\3\4" + generator.randbytes(5000), "safetensors": b"\x02\0\0\0\0\0\0\0{}", "shifted": b"PK\3\4" + content,
    }.items()  # fmt: skip


def program_writer(parameters, body, options):
    def write(path):
        from torchscript_models import save_model  # loads torch, which a run of few cases may not need

        save_model(path, parameters, body, **options)

    return write


def state_dict(path):
    import torch

    torch.save({"weight": torch.zeros(2, 2)}, path)


def whole_module(path):
    import torch

    torch.save(torch.nn.Linear(2, 2), path)


def cases(seed, content):
    """`content` is that of a good model."""
    from torchscript_models import WRONG_MODELS

    found = []

    def add(name, value):
        arguments = ["--config", "run.json", "--model_path", "bad.pt"]
        found.append(Case("model", name, CODES, arguments, lambda _: {"bad.pt": value}, "bad.pt"))

    for name, value in contents(seed, content):
        add(name, value)
    for name, parameters, body, options in WRONG_MODELS:
        add(name, program_writer(parameters, body, options))
        if name in ("narrow.pt", "logits_narrow.pt", "logits_detached.pt"):
            found[-1].part = ""
    add("a state dict", state_dict)
    add("a pickled module", whole_module)
    for name, make in SPECIAL_FILES.items():
        add(name, make)
    return found
