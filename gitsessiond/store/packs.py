"""Packs of our own store: journal rows become packs, and many packs become few (docs/format.md, "Packs").

Run as a process (``python -m gitsessiond.store.packs``) so that packing takes no time from the one writer;
such a child only ever adds a pack. Refs, the journal and old packs are changed by the writer alone, once
the child is done.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.store.journal import read_records
from gitsessiond.store.layout import sync
from gitsessiond.store.objects import oid_of, pack_header, pack_index, read_entry


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
                    raise StateUnreadable(
                        f"object {oid} in the journal is garbled", hint="git session doctor"
                    )
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


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # the wanted end
