"""Computes what a power cut can leave of a folder, from the trace of the operations on it.

The model of the file system is what POSIX promises and no more. fsync of a file makes its content durable, fsync of a
folder the names in it. Of what came after, each 4 KiB sector of a write and each change of a folder has independently
happened or not; a sector that was being written may also hold zeros or garbage, and a truncation may be lost. One
rename within a folder is one change: it has happened wholly or not at all.
"""

import os

SECTOR = 4096
RENAME_EXCHANGE = 2  # an exchange is two changes here: one more state than a file system should leave


class File:
    def __init__(self):
        self.durable = b""  # at the last fsync
        self.current = bytearray()  # what a process sees
        self.pending = []  # since the last fsync: (offset, data), or the size it was truncated to

    def write(self, offset, data):
        self.pending.append((offset, data))
        overwrite(self.current, offset, data)

    def truncate(self, size):
        self.pending.append(size)
        resize(self.current, size)

    def sync(self):
        self.durable = bytes(self.current)
        self.pending = []


class Folder:
    def __init__(self):
        self.durable = {}  # name -> File or Folder, at the last fsync
        self.current = {}
        self.pending = []  # since the last fsync: (name that goes or None, name that comes or None, what)

    def change(self, gone, come, node):
        self.pending.append((gone, come, node))
        apply_change(self.current, gone, come, node)

    def sync(self):
        self.durable = dict(self.current)
        self.pending = []


def overwrite(content, offset, data):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def resize(content, size):
    del content[size:]
    content.extend(bytes(size - len(content)))


def apply_change(names, gone, come, node):
    if gone is not None and names.get(gone) is node:
        del names[gone]
    if come is not None:
        names[come] = node


class FileSystem:
    """Replays a trace. What it leaves out (`ignored`: a first component of paths) is not part of any state."""

    def __init__(self, ignored=(), honours_fsync=True):
        self.root = Folder()
        self.ignored = ignored
        self.honours_fsync = honours_fsync

    def replay(self, operation):
        paths = (operation.path, operation.second)
        is_ignored = any(path.split("/")[0] in self.ignored for path in paths if path)
        is_unnamed = operation.path.split("/")[-1].startswith("#")  # Linux shows a file without a name so
        if operation.outcome == "ok" and not is_ignored and not is_unnamed:
            getattr(self, "_" + operation.kind)(operation)

    def find(self, path):
        node = self.root
        for name in path.split("/") if path else ():
            node = node.current.get(name) if isinstance(node, Folder) else None
        return node

    def _parent(self, path):
        folder, _, name = path.rpartition("/")
        return self.find(folder), name

    def _open(self, operation):
        node = self.find(operation.path)
        if node is None:
            folder, name = self._parent(operation.path)
            folder.change(None, name, File())
        elif operation.flags & os.O_TRUNC and node.current:
            node.truncate(0)

    def _write(self, operation):
        self.find(operation.path).write(operation.offset, operation.data)

    def _truncate(self, operation):
        self.find(operation.path).truncate(operation.offset)

    def _fsync(self, operation):
        if self.honours_fsync:
            self.find(operation.path).sync()

    def _mkdir(self, operation):
        if not operation.path:  # the folder of the run, which is the root
            return
        folder, name = self._parent(operation.path)
        folder.change(None, name, Folder())

    def _unlink(self, operation):
        folder, name = self._parent(operation.path)
        folder.change(name, None, folder.current[name])

    _rmdir = _unlink

    def _rename(self, operation):
        folder, name = self._parent(operation.path)
        other, new_name = self._parent(operation.second)
        node = folder.current[name]
        if operation.flags & RENAME_EXCHANGE:
            replaced = other.current[new_name]
            other.change(None, new_name, node)
            folder.change(None, name, replaced)
        elif folder is other:
            folder.change(name, new_name, node)
        else:
            other.change(None, new_name, node)
            folder.change(name, None, node)

    def _link(self, operation):
        node = self.find(operation.path)
        folder, name = self._parent(operation.second)
        folder.change(None, name, node)


def tree(folder, path=""):
    """path -> content of everything that processes see; None for a folder."""
    found = {}
    for name, node in folder.current.items():
        if isinstance(node, Folder):
            found[path + name] = None
            found.update(tree(node, path + name + "/"))
        else:
            found[path + name] = bytes(node.current)
    return found


class PowerCut:
    """One state after a power cut. How much was lost is drawn for the whole state, then each piece for itself."""

    def __init__(self, random):
        self.random = random
        self.kept_names = random.choice((0.0, 0.5, 0.5, 0.9, 1.0))
        weights = [random.choice((0, 1, 1, 5)) for _ in range(4)]
        self.sector_weights = weights if any(weights) else [1, 0, 0, 0]  # kept, dropped, zeroed, garbage

    def names_of(self, folder):
        names = dict(folder.durable)
        for gone, come, node in folder.pending:
            if self.random.random() < self.kept_names:
                apply_change(names, gone, come, node)
        return names

    def content_of(self, file):
        content = bytearray(file.durable)
        for change in file.pending:
            if isinstance(change, int):
                if self.random.random() < 0.5:
                    resize(content, change)
                continue
            offset, data = change
            for begin, end in sectors(offset, len(data)):
                self.put_sector(content, begin, data[begin - offset : end - offset])
        return bytes(content)

    def put_sector(self, content, begin, data):
        fate = self.random.choices(("kept", "dropped", "zeroed", "garbage"), self.sector_weights)[0]
        if fate == "kept":
            overwrite(content, begin, data)
        elif fate == "zeroed":
            overwrite(content, begin, bytes(len(data)))
        elif fate == "garbage":
            overwrite(content, begin, self.random.randbytes(len(data)))

    def tree(self, folder, path=""):
        """path -> content of what is left; None for a folder."""
        found = {}
        for name, node in self.names_of(folder).items():
            if isinstance(node, Folder):
                found[path + name] = None
                found.update(self.tree(node, path + name + "/"))
            else:
                found[path + name] = self.content_of(node)
        return found


def sectors(offset, size):
    """The pieces of a write, each within one sector of the file."""
    begin = offset
    while begin < offset + size:
        end = min((begin // SECTOR + 1) * SECTOR, offset + size)
        yield begin, end
        begin = end


def write_tree(found, target):
    target.mkdir(parents=True)
    for path, content in found.items():
        if content is None:
            (target / path).mkdir()
        else:
            (target / path).write_bytes(content)
