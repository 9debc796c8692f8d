"""What is recorded of each path of a worktree, and how its file looked when it was compared last.

The signatures are kept in a file across starts (``<state dir>/cache/<wid>``), so that a start reads only what
changed meanwhile. The file may be lost or refused at any time: everything in it is found again by reading.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from gitsessiond.model.values import Entry

RULE_FILES = (b".gitignore", b".gitattributes")
MAGIC = b"GSSTAT1\n"
_HEAD = struct.Struct(">40s20s20sH")  # signature, entry's id, raw id, length of the path that follows
_NO_OID = bytes(20)


class Known(NamedTuple):
    """What is recorded of one path.

    ``entry`` None: only the disk's bytes are kept (git cannot store them now). ``raw``: the blob of the
    disk's bytes where they are not the entry's. ``sig`` None: not compared yet.
    """

    entry: Entry | None
    raw: str | None = None
    sig: bytes | None = None


class KnownPaths:
    """All recorded paths of one worktree, with the directories they make."""

    def __init__(self) -> None:
        self.paths: dict[bytes, Known] = {}
        self.directories: dict[bytes, int] = {}  # directory -> number of paths anywhere below it
        self.racy: set[bytes] = set()  # compared so soon after a change that the next may not show
        self.rules: set[bytes] = set()  # the .gitignore and .gitattributes files among the paths

    def put(self, path: bytes, known: Known) -> None:
        """Set what is recorded of a path."""
        if path not in self.paths:
            self._count(path, 1)
            if path.endswith(RULE_FILES) and path.rpartition(b"/")[2] in RULE_FILES:
                self.rules.add(path)
        self.paths[path] = known

    def remove(self, path: bytes) -> None:
        """Forget a path; an unknown one is no error."""
        if self.paths.pop(path, None) is not None:
            self._count(path, -1)
        self.racy.discard(path)
        self.rules.discard(path)

    def below(self, directory: bytes) -> list[bytes]:
        """Every known path under a directory (``b""``: all)."""
        if not directory:
            return list(self.paths)
        if directory not in self.directories:
            return []
        start = directory + b"/"
        return [path for path in self.paths if path.startswith(start)]

    def count_below(self, directory: bytes) -> int:
        """How many known paths lie under a directory."""
        return self.directories.get(directory, 0) if directory else len(self.paths)

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


def write_signatures(file_name: str, known: KnownPaths) -> None:
    """Keep the signatures for the next start; racy ones are left out."""
    parts = [MAGIC]
    for path, found in known.paths.items():
        if found.sig is not None and path not in known.racy:
            oid = bytes.fromhex(found.entry.oid) if found.entry else _NO_OID
            raw = bytes.fromhex(found.raw) if found.raw else _NO_OID
            parts += (_HEAD.pack(found.sig, oid, raw, len(path)), path)
    body = b"".join(parts)
    os.makedirs(os.path.dirname(file_name), mode=0o700, exist_ok=True)
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
    for path, sig, oid, raw in _records(body):
        found = wanted.paths.get(path)
        if found is not None and _ids(found) == (oid, raw):
            wanted.paths[path] = found._replace(sig=sig)


def _ids(known: Known) -> tuple[bytes, bytes]:
    """A path's ids as the file holds them."""
    entry = bytes.fromhex(known.entry.oid) if known.entry else _NO_OID
    return entry, bytes.fromhex(known.raw) if known.raw else _NO_OID


def _records(body: bytes) -> Iterable[tuple[bytes, bytes, bytes, bytes]]:
    """Path, signature, entry's id and raw id of each record."""
    at, end = len(MAGIC), len(body)
    while at < end:
        sig, oid, raw, length = _HEAD.unpack_from(body, at)
        at += _HEAD.size
        yield body[at : at + length], sig, oid, raw
        at += length
