# SPDX-License-Identifier: ISC
"""What a disk may keep when power goes: states of a directory, built from the log of tests/faults/powerlog.c.

What was synced is there. Of what was not, anything may be: a write may be there, or some of its pages, or only the
length it gave the file; a name may be there or not, whatever was done to it after or before. A rename is there whole or
not at all, and lasts when the directory that it leads to has been synced. Syncing a file does not make its name last.
"""
import dataclasses
import fcntl
import hashlib
import json
import os
import random
import shutil

import harness

PAGE = 4096
LIBRARY = os.path.join(harness.BUILD_DIR, "tests/faults/powerlog.so")
PRELOAD = {
    "LD_PRELOAD": LIBRARY,
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0",
}


# --- the log ---

times = {}  # of files of somebody else, by their inodes: when they were changed, which lasts as they do


class Log:
    """A log that is being written, by the programs below `root` and by the test itself."""

    def __init__(self, path, root):
        self.path = str(path)
        self.root = str(root)
        self.append(f"root {os.stat(self.root).st_ino}")
        times.clear()
        self.environment = {**PRELOAD, "CDRD_POWERLOG": self.path, "CDRD_POWERROOT": self.root}

    def append(self, line, data=b""):
        with open(self.path, "ab", buffering=0) as file:
            file.write(line.encode() + b"\n" + data)

    def mark(self, **what):
        """From here on this is so."""
        self.append("mark " + json.dumps(what))

    def kill9(self, daemon):
        """Not between a call and its entry."""
        with open(self.path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            daemon.kill9()

    def put_directory(self, path):
        os.mkdir(path)
        self.append(f"mkdir {os.stat(path).st_ino} {path}")
        self.append(f"sync {os.stat(os.path.dirname(path)).st_ino}")

    def put_file(self, path, data):
        """A file of somebody else, which was synced before it got its name. Until then a spool leaves it alone."""
        part = os.path.join(os.path.dirname(path), ".part")
        with open(part, "wb") as file:
            file.write(data)
        inode = os.stat(part).st_ino
        times[inode] = os.stat(part).st_mtime_ns
        self.append(f"create {inode} {part}")
        self.append(f"write {inode} 0 {len(data)} 1", data)
        self.append(f"rename {part} {path}")
        os.rename(part, path)
        self.append(f"sync {os.stat(os.path.dirname(path)).st_ino}")


def read_log(path):
    """Its entries: lists of words; the bytes of a write are the last one, what a mark says is a dict."""
    entries = []
    with open(path, "rb") as file:
        while line := file.readline():
            words = line.decode().split()
            if words[0] == "mark":
                words = ["mark", json.loads(line[5:])]
            elif words[0] == "write":
                words.append(file.read(int(words[3])))
            entries.append(words)
    return entries


# --- the disk ---


@dataclasses.dataclass(eq=False)
class Change:
    """Of a file: `data` at `offset`, or its length where data is None. Of a directory: `add` leads to `node`, `remove`
    leads nowhere any more; a rename does both, in `to` and in `source`."""
    data: bytes | None = None
    offset: int = 0
    durable: bool = False
    add: str | None = None
    remove: str | None = None
    node: object = None
    source: object = None
    to: object = None

    def pages(self):
        return 1 if self.data is None else max(1, -(-(self.offset % PAGE + len(self.data)) // PAGE))


class File:
    def __init__(self, inode):
        self.inode = inode
        self.base = b""
        self.changes = []

    def sync(self):
        self.base = self.content(lambda change, page: True)
        self.changes = []

    def content(self, is_kept, grows=False):
        content = bytearray(self.base)
        for change in self.changes:
            if change.data is None:
                if change.durable or is_kept(change, 0):
                    set_length(content, change.offset)
                continue
            end = change.offset + len(change.data)
            if grows and len(content) < end:
                set_length(content, end)
            at = change.offset
            for page in range(change.pages()):
                until = min(end, (at // PAGE + 1) * PAGE)
                if change.durable or is_kept(change, page):
                    if len(content) < until:
                        set_length(content, until)
                    content[at:until] = change.data[at - change.offset:until - change.offset]
                at = until
        return bytes(content)


def set_length(content, length):
    if length < len(content):
        del content[length:]
    else:
        content.extend(bytes(length - len(content)))


class Directory:
    def __init__(self, inode):
        self.inode = inode
        self.base = {}
        self.live = {}
        self.changes = []

    def sync(self):
        """A rename to elsewhere waits for the directory that it leads to."""
        for change in list(self.changes):
            if change.source is self and change.to is not self:
                continue
            self.apply(self.base, change)
            self.changes.remove(change)
            if change.source is not None and change.source is not self:
                source = change.source
                source.base.pop(change.remove, None)
                source.changes = [c for c in source.changes if change.remove not in (c.add, c.remove)]

    def apply(self, names, change):
        if change.remove is not None and change.source in (None, self):
            names.pop(change.remove, None)
        if change.add is not None and change.to in (None, self):
            names[change.add] = change.node

    def names(self, is_kept):
        names = dict(self.base)
        for change in self.changes:
            if is_kept(change, 0):
                self.apply(names, change)
        return names


class Disk:
    """What is in `root`, entry by entry of a log."""

    def __init__(self, root):
        self.root_path = root
        self.root = Directory(0)
        self.nodes = {}

    def parent(self, path):
        directory = self.root
        words = os.path.relpath(path, self.root_path).split("/")
        for word in words[:-1]:
            directory = directory.live[word]
        return directory, words[-1]

    def do(self, kind, *words):
        getattr(self, "do_" + kind)(*words)

    def add(self, path, node):
        directory, name = self.parent(path)
        directory.live[name] = node
        directory.changes.append(Change(add=name, node=node))

    def do_root(self, inode):
        self.nodes[inode] = self.root

    def do_create(self, inode, path):
        self.nodes[inode] = File(int(inode))
        self.add(path, self.nodes[inode])

    def do_mkdir(self, inode, path):
        self.nodes[inode] = Directory(int(inode))
        self.add(path, self.nodes[inode])

    def do_link(self, inode, path):
        self.add(path, self.nodes[inode])

    def do_unlink(self, path):
        directory, name = self.parent(path)
        del directory.live[name]
        directory.changes.append(Change(remove=name))

    def do_rename(self, old, fresh):
        source, remove = self.parent(old)
        to, add = self.parent(fresh)
        node = source.live.pop(remove)
        to.live[add] = node
        change = Change(add=add, remove=remove, node=node, source=source, to=to)
        to.changes.append(change)
        if source is not to:
            source.changes.append(change)

    def do_write(self, inode, offset, length, durable, data):
        if inode in self.nodes:
            self.nodes[inode].changes.append(Change(data=data, offset=int(offset), durable=durable == "1"))

    def do_truncate(self, inode, length):
        if inode in self.nodes:
            self.nodes[inode].changes.append(Change(offset=int(length)))

    def do_sync(self, inode):
        if inode in self.nodes:
            self.nodes[inode].sync()

    def do_syncfs(self):
        for node in [self.root, *self.nodes.values()]:
            node.sync()

    # --- its states ---

    def pending(self):
        """What may be there or not, in order of nodes: pairs of a change and a page of it."""
        found = {}
        todo = [self.root]
        while todo:
            node = todo.pop()
            for change in node.changes:
                if not change.durable:
                    found.update(((id(change), page), (change, page)) for page in range(change.pages()))
            if isinstance(node, Directory):
                todo += {id(n): n for n in [*node.base.values(), *node.live.values()]}.values()
        return list(found.values())

    def state(self, is_kept, grows=False):
        """A tree: dicts of names, and pairs of an inode's number and content."""
        def of(node):
            if isinstance(node, File):
                return node.inode, node.content(is_kept, grows)
            return {name: of(inner) for name, inner in node.names(is_kept).items()}
        return of(self.root)

    def states(self, pick):
        """What may be left: what each is called, and a function that builds it."""
        pending = self.pending()
        keys = [(id(change), page) for change, page in pending]
        names = {(id(change), page) for change, page in pending if change.add or change.remove}
        lengths = {(id(change), page) for change, page in pending
                   if change.data is None and not change.add and not change.remove}

        def with_kept(kept, grows=False):
            return lambda: self.state(lambda change, page: (id(change), page) in kept, grows)

        yield "nothing", with_kept(set())
        yield "everything", with_kept(set(keys))
        yield "only names", with_kept(names)
        yield "everything but names", with_kept(set(keys) - names)
        yield "names and lengths", with_kept(names | lengths, True)
        yield "lengths", with_kept(lengths, True)
        for number, key in enumerate(keys):
            yield f"only {number}", with_kept({key})
            yield f"all but {number}", with_kept(set(keys) - {key})
            yield f"the first {number}", with_kept(set(keys[:number]))
        for number in range(4 if len(keys) > 2 else 0):
            yield f"some, {number}", with_kept({key for key in keys if pick.random() < 0.5})
            yield f"some and all names, {number}", with_kept(names | {key for key in keys if pick.random() < 0.5})


def cut_points(entries):
    """Where power may go: before each sync, whose states hold those of all entries before, and after it."""
    for number, entry in enumerate(entries):
        if entry[0] in ("sync", "syncfs", "mark") or number + 1 == len(entries):
            yield number


def digest(state):
    hash = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        hash.update(name.encode() + b"\0")
        inner = state[name]
        hash.update(digest(inner) if isinstance(inner, dict) else hashlib.blake2b(inner[1], digest_size=16).digest())
    return hash.digest()


def all_states(entries, root, first=0):
    """Each state that differs, with the number of entries before it and what it is called: of each point from entry
    `first` on."""
    disk = Disk(root)
    seen = set()
    points = set(cut_points(entries))
    marks = 0
    for number, entry in enumerate(entries):
        if number in points and number >= first and entry[0] != "mark":
            for name, build in disk.states(random.Random(number)):
                state = build()
                key = (marks, digest(state))
                if key not in seen:
                    seen.add(key)
                    yield number, name, state
        if entry[0] == "mark":
            marks += 1
        else:
            disk.do(*entry)


def sample_states(entries, root, count, seed, first=0):
    """`count` of them, at points that are spread evenly over the log from entry `first` on; several at one if there are fewer."""
    pick = random.Random(seed)
    points = [number for number in cut_points(entries) if number >= first and entries[number][0] != "mark"]
    chosen = [points[int(len(points) * (i + pick.random()) / count)] for i in range(count)]
    disk = Disk(root)
    at = 0
    for number in chosen:
        for entry in entries[at:number]:
            if entry[0] != "mark":
                disk.do(*entry)
        at = number
        name, build = pick.choice(list(disk.states(pick)))
        yield number, name, build()


def lay_out(state, path):
    """Writes a state; gives pairs of real and logged numbers of inodes."""
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    inodes = []

    def put(directory, where):
        for name, inner in directory.items():
            to = os.path.join(where, name)
            if isinstance(inner, dict):
                os.mkdir(to, 0o750)
                put(inner, to)
                continue
            with open(to, "wb") as file:
                file.write(inner[1])
                os.fchmod(file.fileno(), 0o600)
                inodes.append((os.fstat(file.fileno()).st_ino, inner[0]))
            if inner[0] in times:
                os.utime(to, ns=(times[inner[0]], times[inner[0]]))
    put(state, path)
    return inodes
