"""The journal: what was recorded since the last checkpoint, in one SQLite database (docs/format.md,
"Journal").

One transaction is one record: the objects of a step and the ref moves that make it visible. With
``synchronous=FULL`` in WAL mode its commit is one ``fdatasync``, and that is the commit point of every save
and action. Only one process writes (the holder of the repository's authority); a packing child reads beside
it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitsessiond.model.errors import GitSessionError, StateUnreadable
from gitsessiond.store.database import Kind, errors, open_beside, open_database, transaction
from gitsessiond.store.layout import sync
from gitsessiond.store.refs import RefMove

FORMAT = 1
_SCHEMA = """
CREATE TABLE objects (
  n INTEGER PRIMARY KEY,     -- grows with record
  record INTEGER NOT NULL,   -- the transaction it came with
  oid BLOB NOT NULL,         -- 20 bytes
  entry BLOB NOT NULL        -- the object exactly as it will stand in a pack
);
CREATE TABLE moves (
  n INTEGER PRIMARY KEY,
  record INTEGER NOT NULL,
  name TEXT NOT NULL,        -- full ref name in store.git
  old TEXT,                  -- 40 hex digits; NULL: the ref did not exist
  new TEXT                   -- NULL: the ref is deleted
);
CREATE TABLE packs (
  name TEXT PRIMARY KEY,     -- "pack-<40 hex>", without suffix
  level INTEGER NOT NULL     -- 0: one checkpoint; n + 1: four or more packs of level n
) WITHOUT ROWID;
"""
_KIND = Kind("the journal", FORMAT, 0x47534A31, _SCHEMA)  # "GSJ1"
_IN_MEMORY_ENTRY = 8 * 1024  # larger entries are read from their row when asked for
_IN_MEMORY_TOTAL = 16 * 1024 * 1024
_WAL_PAGES = 8192  # 32 MB: the journal is emptied by checkpoints long before SQLite copies it back by itself
_SHRINK_FROM_PAGES = 16384  # an emptied journal larger than 64 MB gives its space back


class Journal:
    """The open journal with its in-memory view, so that what is not yet packed can be read at once."""

    def __init__(self, path: str, *, durable: bool = True) -> None:
        """Open or create the journal at ``path``; ``durable=False`` leaves the syncing to the operating
        system.
        """
        self.path = path
        self._db = open_database(
            path,
            _KIND,
            (
                f"synchronous={'FULL' if durable else 'OFF'}",
                f"wal_autocheckpoint={_WAL_PAGES}",
                f"journal_size_limit={_WAL_PAGES * 4096}",
            ),
        )
        with errors(_KIND, "opened"):
            sync(os.path.dirname(path))
        self._view: dict[str, bytes | int] = {}
        self._in_memory = 0
        self.moved: dict[str, str | None] = {}
        self.last_record = 0
        self._packed_record = 0  # everything up to here is in packs
        try:
            with errors(_KIND, "read"):
                self._fill()
        except GitSessionError:
            self._db.close()
            raise

    def _fill(self) -> None:
        """Read the view from the database, as at start."""
        rows = self._db.execute(
            "SELECT n, record, lower(hex(oid)), CASE WHEN length(entry) <= ? THEN entry END FROM objects ORDER BY n",
            (_IN_MEMORY_ENTRY,),
        )
        records: set[int] = set()
        for n, record, oid, entry in rows:
            self._keep(oid, n, entry)
            records.add(record)
        for record, name, new in self._db.execute("SELECT record, name, new FROM moves ORDER BY n"):
            self.moved[name] = new
            records.add(record)
        self.last_record = max(records, default=self.last_record)
        self._packed_record = min(records, default=self.last_record + 1) - 1

    def _keep(self, oid: str, n: int, entry: bytes | None) -> None:
        if entry is None or len(entry) > _IN_MEMORY_ENTRY or self._in_memory > _IN_MEMORY_TOTAL:
            self._view[oid] = n
            return
        self._view[oid] = entry
        self._in_memory += len(entry)

    def __contains__(self, oid: str) -> bool:
        return oid in self._view

    def __len__(self) -> int:
        return len(self._view)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._view))

    def entry(self, oid: str) -> bytes | None:
        """The pack entry of an object, or None when the journal does not hold it."""
        found = self._view.get(oid)
        if not isinstance(found, int):
            return found
        with errors(_KIND, "read"):
            row = self._db.execute("SELECT entry FROM objects WHERE n = ?", (found,)).fetchone()
        if row is None:
            raise StateUnreadable(f"the journal lost object {oid}", hint="git session doctor")
        return bytes(row[0])

    def append(self, objects: Mapping[str, bytes], moves: Sequence[RefMove]) -> int:
        """Write one record durably and return its number; all of it is there afterwards or nothing.

        Raises:
            StoreFailed: the disk refused; the journal is as it was.
        """
        record = self.last_record + 1
        with errors(_KIND, "written"), transaction(self._db):
            first = self._next("objects")
            self._db.executemany(
                "INSERT INTO objects VALUES (?, ?, ?, ?)",
                [(first + at, record, bytes.fromhex(oid), entry) for at, (oid, entry) in enumerate(objects.items())],
            )
            self._db.executemany(
                "INSERT INTO moves (record, name, old, new) VALUES (?, ?, ?, ?)",
                [(record, move.name, move.old, move.new) for move in moves],
            )
        for at, (oid, entry) in enumerate(objects.items()):
            self._keep(oid, first + at, entry)
        self.moved.update({move.name: move.new for move in moves})
        self.last_record = record
        return record

    def _next(self, table: str) -> int:
        row = self._db.execute(f"SELECT coalesce(max(n), 0) + 1 FROM {table}").fetchone()  # noqa: S608 - our own names
        return int(row[0])

    def waiting(self) -> int:
        """How many records wait for a checkpoint."""
        return self.last_record - self._packed_record

    def moves_up_to(self, record: int) -> dict[str, str | None]:
        """Where each ref stood after ``record``, for refs moved since the last checkpoint."""
        with errors(_KIND, "read"):
            rows = self._db.execute("SELECT name, new FROM moves WHERE record <= ? ORDER BY n", (record,))
            return {str(name): new for name, new in rows}

    def forget(self, record: int, packs: Mapping[str, int]) -> None:
        """Delete all records up to ``record``, whose objects and refs a checkpoint has made durable
        elsewhere.

        ``packs``: the packs (name to level) that hold them; entered in the same transaction.
        """
        with errors(_KIND, "written"), transaction(self._db):
            self._db.execute("DELETE FROM objects WHERE record <= ?", (record,))
            self._db.execute("DELETE FROM moves WHERE record <= ?", (record,))
            self._db.executemany("INSERT OR REPLACE INTO packs VALUES (?, ?)", packs.items())
        self._view, self._in_memory, self.moved = {}, 0, {}
        with errors(_KIND, "read"):
            self._fill()
            self._shrink()

    def _shrink(self) -> None:
        """Copy the WAL back, and give the space of one very large burst back to the disk."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # never waits for a reader
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        if pages > _SHRINK_FROM_PAGES and not self._view:
            self._db.execute("VACUUM")

    def packs(self) -> dict[str, int]:
        """The known packs and their levels."""
        with errors(_KIND, "read"):
            return {str(name): int(level) for name, level in self._db.execute("SELECT name, level FROM packs")}

    def replace_packs(self, gone: Iterable[str], new: Mapping[str, int]) -> None:
        """Enter packs that hold everything the ``gone`` ones held, and strike these out."""
        with errors(_KIND, "written"), transaction(self._db):
            self._db.executemany("DELETE FROM packs WHERE name = ?", [(name,) for name in gone])
            self._db.executemany("INSERT OR REPLACE INTO packs VALUES (?, ?)", new.items())

    def check(self) -> str | None:
        """SQLite's own check of the whole file: None when it is sound, else what it says."""
        with errors(_KIND, "read"):
            (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        return None if found == "ok" else str(found)

    def close(self) -> None:
        """Close the database; what was appended stays."""
        self._db.close()


def read_records(path: str, record: int) -> Iterator[tuple[str, bytes]]:
    """Objects (id, pack entry) of all records up to ``record``, in the order they were written, read-only."""
    with open_beside(path, _KIND) as db:
        rows = db.execute("SELECT lower(hex(oid)), entry FROM objects WHERE record <= ? ORDER BY n", (record,))
        for oid, entry in rows:
            yield str(oid), bytes(entry)
