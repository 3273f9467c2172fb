"""The cases that the generators of bad inputs make."""

import dataclasses
import os
from collections.abc import Callable


@dataclasses.dataclass
class Case:
    kind: str
    name: str
    codes: tuple  # exit codes that are right
    arguments: list
    # Given the job's folder, path below it to content: bytes, or a function of the path that makes the entry. Called
    # when the case runs: all of them together would fill the memory.
    files: Callable[[str], dict]
    part: str = ""  # that the message must hold


def fifo(path):
    os.mkfifo(path)


def folder(path):
    os.mkdir(path)


def link_to(target):
    return lambda path: os.symlink(target, path)


@dataclasses.dataclass
class Later:
    """Large content, made when its case runs."""

    make: Callable[[], bytes]


def content_of(value):
    return value.make() if isinstance(value, Later) else value


# A read of it fails for everyone, root too.
unreadable = link_to("/proc/self/mem")
endless = link_to("/dev/zero")

# Entries of a folder that are no files with content.
SPECIAL_FILES = {"a FIFO": fifo, "a folder": folder, "unreadable": unreadable, "a device": endless}
