"""Packs of our own store: journal rows become packs, and many packs become few (docs/format.md, "Packs").

Run as a process (``python -m gitsessiond.store.packs``) so that packing takes no time from the one writer;
such a child only ever adds a pack. Refs, the journal and old packs are changed by the writer alone, once
the child is done.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterable

from gitsessiond.model.errors import GitSessionError, StateUnreadable
from gitsessiond.store.crossing import tree_items
from gitsessiond.store.git import run_git
from gitsessiond.store.journal import read_records
from gitsessiond.store.layout import sync
from gitsessiond.store.objects import oid_of, pack_header, pack_index, read_entry
from gitsessiond.store.ours import OwnPacks

_SUFFIXES = (".idx", ".rev", ".pack")  # in the order of removal: a pack without its index is seen by nobody

# Deltas of a session's files are small and many; a large binary would only cost memory here.
_PACKING = (
    "-c", "core.fsync=all", "-c", "pack.deltaCacheSize=16m", "-c", "pack.windowMemory=64m",
    "-c", "core.bigFileThreshold=8m", "-c", "pack.writeBitmaps=false",
)  # fmt: skip


def pack_records(journal: str, record: int, directory: str) -> str | None:
    """Write the journal's objects up to ``record`` as one pack into ``directory``; return its name, None if
    empty.

    The same rows give the same pack under the same name, so doing it again after a crash does no harm. Pack
    and index are whole and on the disk when this returns; the index is renamed into place last, as git
    expects.

    Raises:
        StateUnreadable: an object of the journal is not what its id says.
        StoreFailed: the journal cannot be read.
    """
    seen: set[str] = set()
    entries: list[tuple[bytes, int, int]] = []
    handle, draft = tempfile.mkstemp(prefix="tmp_pack_", dir=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pack_header(0))
            at = 12
            for oid, entry in read_records(journal, record):
                if oid in seen:
                    continue
                seen.add(oid)
                kind, data = read_entry(entry, oid)
                if oid_of(kind, data) != oid:
                    raise StateUnreadable(f"object {oid} in the journal is garbled", hint="git session doctor")
                file.write(entry)
                entries.append((bytes.fromhex(oid), zlib.crc32(entry), at))
                at += len(entry)
            file.seek(0)
            file.write(pack_header(len(entries)))
        if not entries:
            os.unlink(draft)
            return None
        return _finished(draft, entries, directory)
    except BaseException:
        _remove([draft])
        raise


def _finished(draft: str, entries: list[tuple[bytes, int, int]], directory: str) -> str:
    """Seal the pack at ``draft`` with its checksum, write its index, give both their names; return the
    name.
    """
    found = hashlib.sha1(usedforsecurity=False)
    with open(draft, "r+b") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
        file.write(found.digest())
        os.fchmod(file.fileno(), 0o444)
        file.flush()
        os.fsync(file.fileno())
    name = f"pack-{found.hexdigest()}"
    handle, index = tempfile.mkstemp(prefix="tmp_idx_", dir=directory)
    with os.fdopen(handle, "wb") as file:
        file.write(pack_index(entries, found.digest()))
        os.fchmod(file.fileno(), 0o444)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, os.path.join(directory, name + ".pack"))
    os.replace(index, os.path.join(directory, name + ".idx"))
    sync(directory)
    return name


def merge_packs(git_dir: str, names: Iterable[str]) -> str:
    """Write one pack with everything that the packs ``names`` hold, as deltas; return its name.

    ``--no-reuse-object`` is what makes it small: else git tries no delta between two objects that stand whole in
    one pack, and leaves plain what a save did not deflate. Nothing is left out, reachable or not: the writer may be
    about to name an object because we had it.

    Raises:
        StateUnreadable: a pack is damaged; the old ones are still all there.
        StoreFailed: git or the disk refused.
    """
    directory = os.path.join(git_dir, "objects", "pack")
    oids = sorted({oid for name in names for oid in index_oids(os.path.join(directory, name + ".idx"))})
    hints = _path_hints(git_dir, oids)
    told = b"".join(b"%s %s\n" % (oid.encode(), hints.get(oid, b"")) for oid in oids)
    words = [
        *_PACKING, "pack-objects", "-q", "--no-reuse-object", "--window=10", "--depth=50", "--threads=1",
        "--delta-base-offset", os.path.join(directory, "pack"),
    ]  # fmt: skip
    found = run_git(words, git_dir=git_dir, input=told, timeout=None).out.decode("ascii").strip()
    name = f"pack-{found}"
    if index_oids(os.path.join(directory, name + ".idx")) != oids:
        raise StateUnreadable(f"{name} lacks objects of the packs it was made of", hint="git session doctor")
    sync(directory)
    return name


def index_oids(path: str) -> list[str]:
    """The ids a version 2 pack index lists, sorted.

    Raises:
        StateUnreadable: it is no such index.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(8 + 1024)
            if head[:8] != b"\377tOc\0\0\0\2" or len(head) < 8 + 1024:
                raise StateUnreadable(f"{path} is no pack index", hint="git session doctor")
            (count,) = struct.unpack(">I", head[-4:])
            names = file.read(20 * count)
    except OSError as exc:
        raise StateUnreadable(f"{path} cannot be read: {exc}", hint="git session doctor") from exc
    if len(names) < 20 * count:
        raise StateUnreadable(f"{path} is cut short", hint="git session doctor")
    return [names[at : at + 20].hex() for at in range(0, len(names), 20)]


def _path_hints(git_dir: str, oids: list[str]) -> dict[str, bytes]:
    """For each object the name it has in some tree: git tries deltas among objects of one name first."""
    packs = OwnPacks(git_dir)
    hints: dict[str, bytes] = {}
    for oid in oids:
        tree = packs.read(oid) if packs.kind(oid) == "tree" else None
        for _, name, child in tree_items(tree.data) if tree else ():
            hints[child] = name.replace(b"\n", b" ")
    return hints


def remove_pack(directory: str, name: str) -> None:
    """Remove a pack whose objects another one holds."""
    _remove(os.path.join(directory, name + suffix) for suffix in _SUFFIXES)


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # the wanted end


def main(args: list[str]) -> int:
    """The packing child: ``records JOURNAL NUMBER DIRECTORY`` or ``merge STORE.GIT NAME...``; prints the
    name.
    """
    os.nice(10)  # the recorder and the editors come first
    try:
        print(_asked(args) or "")
    except (GitSessionError, OSError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _asked(args: list[str]) -> str | None:
    if args[0] == "records":
        return pack_records(args[1], int(args[2]), args[3])
    return merge_packs(args[1], args[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
