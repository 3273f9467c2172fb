"""Writes the TorchScript file, durably, and under its final name only on success."""

import contextlib
import json
import os

import torch
import transformers

from hf_export.errors import ExportError, StorageError

METADATA_NAME = "pdl_meta.json"
METADATA_FORMAT = "pdl-ts-1"


def make_metadata(config, traced, max_length):
    """The content of pdl_meta.json inside the file."""
    return {
        "format": METADATA_FORMAT,
        "arch": config.architectures or [traced.architecture],
        "config": json.loads(config.to_json_string()),
        "vocab_size": traced.vocab_size,
        "head": traced.head,
        "max_positions": max_length,
        "dropout": traced.dropout,
        "attention": traced.attention,
        "tied": traced.tied,
        "nonpersistent_buffers": traced.nonpersistent_buffers,
        "weights": traced.weights,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def save(module, metadata, files, path):
    """Writes a TorchScript file with `files` beside the program, durably; returns its size in bytes.

    It is serialised in memory first: a failed write inside the serialiser would end the process.
    """
    try:
        extra_files = {METADATA_NAME: json.dumps(metadata), **files}
        content = module.save_to_buffer(_extra_files=extra_files)
    except RuntimeError as error:
        raise ExportError(f"the trace cannot be written as TorchScript: {error}")
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return len(content)


@contextlib.contextmanager
def storage_errors(path):
    """Names `path` in the failures of writing it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}")


@contextlib.contextmanager
def published_on_success(path):
    """Yields a temporary name beside `path` and renames that file to `path` at the end.

    If the block raises, the temporary file is deleted and `path` stays as it was.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with storage_errors(path):
            os.replace(temporary, path)
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # Makes the rename durable.
            finally:
                os.close(descriptor)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
