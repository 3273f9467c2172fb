"""Frequency tables and checkpoints that must be refused."""

import hashlib
import json
import random
import struct

from bad_case import SPECIAL_FILES, Case, Later, content_of

DATA, CHECKPOINT = (3,), (5,)


# ---------------------------------------------------------------------- frequency tables


def bad_tables(good):
    """`good` is a table, parsed."""
    counts, width = good["counts"], good["vocab_size"]

    def changed(**changes):
        return json.dumps({key: value for key, value in {**good, **changes}.items() if value is not ...})

    tables = {f"{key} missing": changed(**{key: ...}) for key in good}
    for key in good:
        for value in (None, True, -1, 1.5, 2**63, [], {}, [1], "x\x1b[31m"):
            if not (key.endswith("sha256") and isinstance(value, str)):  # another tokenizer: that is below
                tables[f"{key}: {json.dumps(value)}"] = changed(**{key: value})
    for value in (None, True, "1", 1.5, -1, 2**53 + 1, 2**63, 10**30, [], {}):
        tables[f"count {json.dumps(value)}"] = changed(counts=[value, *counts[1:]])
    text = json.dumps(good)
    tables |= {
        "one count more": changed(counts=[*counts, 0]), "one count less": changed(counts=counts[:-1]),
        "vocabulary of one more": changed(vocab_size=width + 1), "another total": changed(total=good["total"] + 1),
        "overflow": changed(counts=[2**62] * 8 + counts[8:]), "version 2": changed(version=2), "another format": changed(format="other"),
        "deep": "[" * 100_000, "deep objects": '{"a":' * 100_000, "deep counts": changed(counts=[[[[1]]]]), "array": "[]", "null": "null",
        "empty": "", "blank": " \n", "text": "counts", "rest": text + "}", "NUL": text[:20] + "\0" + text[20:], "twice": text[:-1] + ', "total": 1}',
        "counts twice": text[:-1] + f', "counts": {json.dumps(counts)}}}', "NaN": text.replace('"counts": [', '"counts": [NaN, ', 1),
        "1e400": text.replace('"total": ', '"total": 1e400, "other": ', 1), "comment": "// counts\n" + text,
        "a shard": changed(shard={"index": 0, "count": 2}), "a wrong shard": changed(shard={"index": 2, "count": 2}),
        "a shard of 2^63": changed(shard={"index": 2**63, "count": 2**63 + 1}), "a shard of text": changed(shard="0/2"),
        "control in a key": text[:-1] + ', "\\u001b": [[[1]]]}', "many counts": Later(lambda: '{"counts": [' + "1," * (7 << 20) + "1]}"),
        "many lists": Later(lambda: '{"counts": [' + "[]," * (5 << 20) + "1]}"), "over 16 MiB": Later(lambda: text + " " * (17 << 20)),
    }  # fmt: skip
    return tables


# Tables that are valid but do not fit the job.
def other_tables(good):
    counts, width = good["counts"], good["vocab_size"]
    for name, new in {"narrow": counts[:-1], "wide": [*counts, 0], "zero": [0] * width, "one token": [0, 0, 5] + [0] * (width - 3)}.items():
        yield name, json.dumps({**good, "counts": new, "total": sum(new), "vocab_size": len(new)})
    yield "another tokenizer", json.dumps({**good, "tokenizer_sha256": "0" * 64})
    yield "no tokenizer", json.dumps({**good, "tokenizer_sha256": ""})


def add_tables(found, generator, good):
    def add(name, content, in_job):
        def made(_):
            value = content_of(content)
            return {"bad.json": value.encode() if isinstance(value, str) else value}

        job = ["--config", "run.json", "--pdl_frequency_table", "bad.json"]
        arguments = job if in_job else ["weights", "bad.json"]
        found.append(Case("table", name, DATA, arguments, made, "bad.json"))

    for i, (name, content) in enumerate(bad_tables(good).items()):
        add(name, content, in_job=i % 4 == 0)  # the others do without the loading of a model
    for name, content in other_tables(good):
        add(name, content, in_job=True)
        found[-1].part = ""
    text = json.dumps(good)
    for _ in range(12):
        size = generator.randrange(len(text))
        add(f"cut at byte {size}", text[:size], in_job=False)
    for name, make in SPECIAL_FILES.items():
        add(name, make, in_job=True)


# ---------------------------------------------------------------------- checkpoints


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def bad_safetensors(content):
    """`content` is a good file with at least two tensors of float32."""
    (length,) = struct.unpack_from("<Q", content)
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    names = sorted((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"])
    first, second = names[:2]
    end = len(data)

    def changed(name, **fields):
        entry = {key: value for key, value in {**header[name], **fields}.items() if value is not ...}
        return with_header({**header, name: entry}, data)

    files = {f"header of {n} bytes": struct.pack("<Q", n) + content[8:]
             for n in (0, 1, 2, length - 1, length + 1, len(content), 10**8, 10**8 + 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1)}  # fmt: skip
    for dtype in ("F8", "f32", "", "F64", "F16", "I32 ", "COMPLEX", None, 1, ["F32"], "\x1b[31m"):
        files[f"dtype {dtype!r}"] = changed(first, dtype=dtype)
    for shape in ([2**62, 4], [2**32, 2**32], [2**63], [-1], [0], [1], [1.5], ["4"], [None], 4, {}, None, [1e30], [[4]], [2**63 - 1] * 9):
        files[f"shape {json.dumps(shape)[:24]}"] = changed(first, shape=shape)
    begin, stop = header[first]["data_offsets"]
    for offsets in ([stop, begin], [begin, stop + 4], [begin, stop - 4], [begin + 4, stop + 4], [-4, stop - 4], [0, 2**64 - 1], [end, end + stop],
                    [2**63, 2**63 + stop], [begin], [begin, stop, stop], [], None, "0", {"0": 1}, [0.0, stop], ["0", stop], header[second]["data_offsets"]):  # fmt: skip
        files[f"offsets {json.dumps(offsets)[:30]}"] = changed(first, data_offsets=offsets)
    for key in ("dtype", "shape", "data_offsets"):
        files[f"no {key}"] = changed(first, **{key: ...})
    text = json.dumps(header)
    entry = json.dumps(header[first])
    files |= {
        "a member more": changed(first, other=1), "entry null": with_header({**header, first: None}, data), "entry list": with_header({**header, first: []}, data),
        "twice": with_header((text[:-1] + f', "{first}": {entry}}}').encode(), data), "list": with_header([], data), "null": with_header(b"null", data),
        "no header": with_header(b"", data), "no JSON": with_header(b"text", data), "NaN": with_header(b'{"a": NaN}', data), "deep": with_header(b"[" * 100_000),
        "deep objects": with_header(b'{"a":' * 100_000), "not UTF-8": with_header(text.replace(first, "\udcff" + first).encode(errors="surrogateescape"), data),
        "hole": with_header({name: header[name] for name in names if name != second}, data), "nothing": with_header({}), "nothing but data": with_header({}, data),
        "data cut": content[:-1], "data added": content + b"\0", "no data": content[: 8 + length], "empty": b"", "seven bytes": content[:7],
        "other names": content.replace(first.encode(), b"x" * len(first)), "one tensor less": None, "pickle": b"\x80\2]q\0.", "Zip": b"PK\3\4" + bytes(100),
        "overlap": changed(second, data_offsets=[begin, begin + header[second]["data_offsets"][1] - header[second]["data_offsets"][0]]),
    }  # fmt: skip
    last = names[-1]
    files["one tensor less"] = with_header({n: e for n, e in header.items() if n != last}, data[: header[last]["data_offsets"][0]])
    return files


def bad_states(text):
    state = json.loads(text)
    states = {"empty": "", "null": "null", "list": "[]", "object": "{}", "deep": "[" * 100_000, "text": "step", "cut": text[: len(text) // 2], "rest": text + "}"}
    for key in state:
        states[f"no {key}"] = json.dumps({name: value for name, value in state.items() if name != key})
    for value in (-1, "1", None, [], 1e400):
        states[f"step {value!r}"] = json.dumps({**state, "step": value})
    return states


def manifest_text(manifest):
    """The text as the program writes it, because no other text is a manifest."""
    return json.dumps(manifest, indent=1, sort_keys=True) + "\n"


def bad_manifests(text):
    manifest = json.loads(text)
    assert manifest_text(manifest) == text
    manifests = {"empty": "", "null": "null", "list": "[]", "object": "{}", "deep": '{"files": ' + "[" * 100_000, "cut": text[:60], "text": "files"}
    for name, value in {"files null": None, "files list": [], "no files": {}, "files text": "x"}.items():
        manifests[name] = manifest_text({**manifest, "files": value})
    for file in ("../model.safetensors", "model.pt", "MANIFEST.json", "optimizer-00000-of-00002.safetensors"):
        manifests[f"lists {file}"] = manifest_text({**manifest, "files": {**manifest["files"], file: manifest["files"]["model.safetensors"]}})
    for file, entry in manifest["files"].items():
        others = {name: value for name, value in manifest["files"].items() if name != file}
        manifests[f"without {file}"] = manifest_text({**manifest, "files": others})
        for name, value in {"null": None, "wrong size": {**entry, "size": entry["size"] + 1}, "wrong hash": {**entry, "sha256": "0" * 64},
                            "size text": {**entry, "size": "1"}, "hash number": {**entry, "sha256": 1}}.items():  # fmt: skip
            manifests[f"{file} {name}"] = manifest_text({**manifest, "files": {**others, file: value}})
    return manifests


def add_checkpoints(found, generator, good, trained_in):
    """`good` is the files of a checkpoint by name; `trained_in` is the folder of its job."""

    def with_hashes(files, changed):
        manifest = json.loads(files["MANIFEST.json"])
        for file in changed:
            manifest["files"][file] = {"sha256": hashlib.sha256(files[file]).hexdigest(), "size": len(files[file])}
        return {**files, "MANIFEST.json": manifest_text(manifest).encode()}

    def add(name, changes, rehash=True):
        def made(folder):
            def moved(content):  # the state names the job's files by their whole paths
                return content and content.replace(trained_in.encode() + b"/", folder.encode() + b"/")

            state = "trainer_state.json"
            files = with_hashes({**good, state: moved(good[state])}, [state])
            files |= {file: moved(content) if file == state else content for file, content in changes.items()}
            if rehash:
                files = with_hashes(files, changes)
            return {f"damaged/checkpoint-2/{file}": content for file, content in files.items() if content is not None}

        arguments = ["--config", "run.json", "--max_steps", "4", "--output_dir", "damaged"]
        found.append(Case("checkpoint", name, CHECKPOINT, arguments, made, "checkpoint-2"))

    for file in ("model.safetensors", "optimizer.safetensors"):
        for name, content in bad_safetensors(good[file]).items():
            add(f"{file}: {name}", {file: content})
    for name, text in bad_states(good["trainer_state.json"].decode()).items():
        add(f"state: {name}", {"trainer_state.json": text.encode()})
    for name, text in bad_manifests(good["MANIFEST.json"].decode()).items():
        add(f"manifest: {name}", {"MANIFEST.json": text.encode()}, rehash=False)
    for file, content in good.items():
        add(f"{file} is gone", {file: None}, rehash=False)
        add(f"{file} is empty", {file: b""}, rehash=False)
        at = generator.randrange(len(content))
        flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        if file != "MANIFEST.json":  # of which some bytes are blanks
            add(f"{file} flipped at {at}", {file: flipped}, rehash=False)


def cases(seed, table, checkpoint, trained_in):
    generator = random.Random(seed)
    found = []
    add_tables(found, generator, table)
    add_checkpoints(found, generator, checkpoint, trained_in)
    return found
