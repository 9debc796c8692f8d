"""What is recorded of each path of a worktree, and how its file looked when it was compared last.

The signatures are kept in a file across starts (``<state dir>/cache/<wid>``), so that a start reads only what
changed meanwhile. The file may be lost or refused at any time: everything in it is found again by reading.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Collection, Iterator, KeysView, Mapping
from contextlib import suppress
from typing import NamedTuple

from gitsessiond.model.values import Entry
from gitsessiond.store.files import SIGNATURE_SIZE, inode_of

RULE_FILES = (b".gitignore", b".gitattributes")
MAGIC = b"GSSTAT2\n"
_LENGTHS = struct.Struct(">BH")  # of a record's packed part and of its path
_NO_SIG, _NO_OID = bytes(SIGNATURE_SIZE), bytes(20)


class Known(NamedTuple):
    """What is recorded of one path.

    ``entry`` None: only the disk's bytes are kept (git cannot store them now). ``raw``: the blob of the
    disk's bytes where they are not the entry's. ``sig`` None: not compared yet.
    """

    entry: Entry | None
    raw: str | None = None
    sig: bytes | None = None


class KnownPaths(Mapping[bytes, Known]):
    """All recorded paths of one worktree, with the directories they make.

    Held packed, one ``bytes`` a path: ten worktrees of 50,000 files are to fit into a daemon's memory.
    """

    def __init__(self) -> None:
        self.packed: dict[bytes, bytes] = {}  # path -> signature (SIGNATURE_SIZE bytes), mode, id, raw id
        self.directories: dict[bytes, int] = {}  # directory -> number of paths anywhere below it
        self.racy: set[bytes] = set()  # compared so soon after a change that the next may not show
        self.rules: set[bytes] = set()  # the .gitignore and .gitattributes files among the paths

    def __getitem__(self, path: bytes) -> Known:
        return _unpacked(self.packed[path])

    def at(self, path: bytes) -> Known | None:
        """What is recorded of a path; None: nothing. Quicker than ``get``."""
        packed = self.packed.get(path)
        return None if packed is None else _unpacked(packed)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def names(self) -> KeysView[bytes]:
        """The paths, as a set."""
        return self.packed.keys()

    def put(self, path: bytes, known: Known, racy: bool = False) -> None:
        """Set what is recorded of a path."""
        if path not in self.packed:
            self._count(path, 1)
            if path.endswith(RULE_FILES) and path.rpartition(b"/")[2] in RULE_FILES:
                self.rules.add(path)
        self.packed[path] = _packed(known)
        if racy:
            self.racy.add(path)
        else:
            self.racy.discard(path)

    def put_directory(self, directory: bytes, files: Mapping[bytes, bytes], same: Mapping[bytes, bytes]) -> None:
        """Set what is recorded of the files of a directory of which nothing is known: entries as a tree has them.

        What :meth:`put` of each would do, for the tens of thousands of a start. ``same``: equal paths to be kept.
        """
        if not files:
            return
        start = directory + b"/" if directory else b""
        modes: dict[bytes, bytes] = {}
        for name, encoded in files.items():
            octal = encoded[:6]
            if octal not in modes:
                modes[octal] = _NO_SIG + int(octal, 8).to_bytes(4, "big")
            path = start + name
            self.packed[same.get(path, path)] = modes[octal] + encoded[-20:]
        self.rules.update(start + name for name in RULE_FILES if name in files)
        self._count(start, len(files))

    def remove(self, path: bytes) -> None:
        """Forget a path; an unknown one is no error."""
        if self.packed.pop(path, None) is not None:
            self._count(path, -1)
        self.racy.discard(path)
        self.rules.discard(path)

    def is_compared(self, path: bytes) -> bool:
        """Whether a known path was ever compared with the disk."""
        return not self.packed[path].startswith(_NO_SIG)

    def is_just(self, path: bytes, entry: Entry | None) -> bool:
        """Whether exactly this entry is recorded of a known path, with no other bytes on disk."""
        return entry is not None and self.packed[path][SIGNATURE_SIZE:] == _content(entry, None)

    def set_compared(self, path: bytes, sig: bytes, racy: bool) -> None:
        """The disk was found to have what is recorded of a known path."""
        self.packed[path] = sig + self.packed[path][SIGNATURE_SIZE:]
        if racy:
            self.racy.add(path)

    def twins(self, sig: bytes) -> list[bytes]:
        """Paths that had the inode of ``sig`` when they were compared last, and looked otherwise."""
        width, inode = len(sig), inode_of(sig)
        others = ((path, packed[:width]) for path, packed in self.packed.items() if packed[:width] != sig)
        return [path for path, other in others if inode_of(other) == inode]

    def having_inodes(self, inodes: Collection[int]) -> list[bytes]:
        """Paths that had one of these inodes when they were compared last."""
        return [path for path, packed in self.packed.items() if inode_of(packed[:SIGNATURE_SIZE]) in inodes]

    def below(self, directory: bytes) -> list[bytes]:
        """Every known path under a directory."""
        if directory not in self.directories:
            return []
        start = directory + b"/"
        return [path for path in self.packed if path.startswith(start)]

    def _count(self, path: bytes, step: int) -> None:
        """Add a path to the counts of its directories, or take it away."""
        end = path.rfind(b"/")
        while end > 0:
            directory = path[:end]
            count = self.directories.get(directory, 0) + step
            if count:
                self.directories[directory] = count
            else:
                self.directories.pop(directory, None)
            end = path.rfind(b"/", 0, end)


def _packed(known: Known) -> bytes:
    return (known.sig or _NO_SIG) + _content(known.entry, known.raw)


def _content(entry: Entry | None, raw: str | None) -> bytes:
    mode, oid = (entry.mode, bytes.fromhex(entry.oid)) if entry else (0, _NO_OID)
    return mode.to_bytes(4, "big") + oid + bytes.fromhex(raw or "")


def _unpacked(packed: bytes) -> Known:
    sig, rest = packed[:SIGNATURE_SIZE], packed[SIGNATURE_SIZE:]
    mode = int.from_bytes(rest[:4], "big")
    entry = Entry(mode, rest[4:24].hex()) if mode else None
    return Known(entry, rest[24:].hex() or None, sig if sig != _NO_SIG else None)


def write_signatures(file_name: str, known: KnownPaths) -> None:
    """Keep the signatures for the next start; racy ones are left out."""
    parts = [MAGIC]
    for path, packed in known.packed.items():
        if path not in known.racy and not packed.startswith(_NO_SIG):
            parts += (_LENGTHS.pack(len(packed), len(path)), packed, path)
    body = b"".join(parts)
    with suppress(FileExistsError):
        os.mkdir(os.path.dirname(file_name), 0o700)  # not those above: they may have been moved or removed
    draft = f"{file_name}.{os.getpid()}.tmp"
    with open(draft, "wb") as file:
        file.write(body + hashlib.sha256(body).digest())
    os.replace(draft, file_name)  # no fsync: a torn file fails its checksum


def read_signatures(file_name: str, wanted: KnownPaths) -> None:
    """Give known paths their kept signature where it was taken of the very same content."""
    try:
        with open(file_name, "rb") as file:
            content = file.read()
    except OSError:
        return
    body, check = content[:-32], content[-32:]
    if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != check:
        return
    at, end = len(MAGIC), len(body)
    while at < end:
        width, length = _LENGTHS.unpack_from(body, at)
        at += _LENGTHS.size
        packed, path = body[at : at + width], body[at + width : at + width + length]
        at += width + length
        recorded = wanted.packed.get(path)
        if recorded is not None and recorded[SIGNATURE_SIZE:] == packed[SIGNATURE_SIZE:]:
            wanted.packed[path] = packed
