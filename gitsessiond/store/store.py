"""The store: objects and refs of all sessions of one repository (docs/format.md).

Objects are written to a journal and packed later; the user's repository is read, and written only by
:meth:`Store.to_repository`; refs of the user's are moved by :mod:`gitsessiond.store.refs`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Sequence
from types import TracebackType
from typing import Protocol

from gitsessiond.model.errors import Moved, StateUnreadable
from gitsessiond.store.crossing import copy_in, deposit
from gitsessiond.store.journal import Journal
from gitsessiond.store.layout import disk_errors, prepare, read_refs
from gitsessiond.store.objects import Object, oid_of, pack_entry, read_entry
from gitsessiond.store.packed import Packed
from gitsessiond.store.refs import RefMove
from gitsessiond.store.salvage import salvage_journal
from gitsessiond.store.theirs import TheirObjects
from gitsessiond.store.trees import TreeCache

__all__ = ["RefMove", "Store", "open_store"]

_SPILL = 32 * 1024 * 1024  # pending bytes after which objects go to the journal before their step does
_FRESH = 16 * 1024  # bytes; larger ones are not kept as they were put


class HasDirs(Protocol):
    """What the store needs to know of a repository (:class:`gitsessiond.store.repository.Repository`)."""

    @property
    def common_dir(self) -> str:
        """The repository's common directory, absolute."""
        ...

    @property
    def state_dir(self) -> str:
        """Where our state lies: ``<common dir>/gitsession``."""
        ...


class Store:
    """The open store. One process at a time may hold one: the holder of the repository's authority."""

    def __init__(self, common_dir: str, state_dir: str, journal: Journal) -> None:
        self.common_dir, self.state_dir = common_dir, state_dir
        self.git_dir = os.path.join(state_dir, "store.git")
        self.journal = journal
        self.trees = TreeCache()
        self.packed = Packed(self.git_dir, common_dir, journal)
        self._pending: dict[str, bytes] = {}
        self._fresh: dict[str, bytes] = {}  # small pending blobs as they were put: most are read again at once
        self._pending_bytes = 0
        self._theirs = TheirObjects(common_dir)

    # -- objects ----------------------------------------------------------------------------------------

    def read(self, oid: str) -> Object:
        """An object, wherever it is: pending, journal, own packs, then the repository.

        Raises:
            StateUnreadable: it is nowhere, or damaged.
        """
        fresh = self._fresh.get(oid)
        if fresh is not None:
            return Object("blob", fresh)
        entry = self._pending.get(oid) or self.journal.entry(oid)
        if entry is not None:
            return read_entry(entry, oid)
        found = self.packed.objects.read(oid) or self._theirs.read(oid)
        if found is None:
            raise StateUnreadable(f"object {oid} is missing", hint="git session doctor")
        return found

    def blob(self, oid: str) -> bytes:
        """The content of a blob."""
        kind, data = self.read(oid)
        if kind != "blob":
            raise StateUnreadable(f"object {oid} is a {kind}, not a blob", hint="git session doctor")
        return data

    def put(self, kind: str, data: bytes) -> str:
        """Hash an object, keep it for the next :meth:`commit`, return its id.

        It is skipped only when *our own* store has it, never because the repository does: what the
        repository holds without a ref, its gc may remove.
        """
        oid = oid_of(kind, data)
        if not self.own_has(oid):
            entry = pack_entry(kind, data)
            self._pending[oid] = entry
            self._pending_bytes += len(entry)
            if kind == "blob" and len(data) <= _FRESH:
                self._fresh[oid] = data
            if self._pending_bytes > _SPILL:
                self._flush(())
        return oid

    def own_has(self, oid: str) -> bool:
        """Whether our own pending objects, journal or packs hold it."""
        return oid in self._pending or oid in self.journal or self.packed.objects.has(oid)

    def in_repository(self, oid: str) -> bool:
        """Whether the user's repository holds it (a zero-length loose file does not count)."""
        return self._theirs.has(oid)

    def drop_pending(self) -> None:
        """Forget objects put since the last commit."""
        self._pending, self._pending_bytes, self._fresh = {}, 0, {}

    # -- refs and records -------------------------------------------------------------------------------

    def ref(self, name: str) -> str | None:
        """Where a ref of the store stands, or None."""
        if name in self.journal.moved:
            return self.journal.moved[name]
        return self.packed.refs.get(name)

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """All refs of the store that begin with ``prefix``."""
        found: dict[str, str | None] = {**self.packed.refs, **self.journal.moved}
        return {name: oid for name, oid in sorted(found.items()) if oid is not None and name.startswith(prefix)}

    def commit(self, moves: Sequence[RefMove]) -> None:
        """Write all pending objects and ``moves`` as one durable record: the commit point of a step.

        Raises:
            Moved: a ref is not at its old value; nothing was written.
            StoreFailed: the disk refused; the store is as before, and the objects stay pending.
        """
        for move in moves:
            if self.ref(move.name) != move.old:
                raise Moved(f"{move.name} moved meanwhile", hint="run the command again")
        if moves or self._pending:
            self._flush(moves)

    def _flush(self, moves: Sequence[RefMove]) -> None:
        self.journal.append(self._pending, moves)
        self.drop_pending()

    # -- checkpoints ------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Bring everything recorded to where plain git reads it: :meth:`Packed.checkpoint`."""
        self.packed.checkpoint()

    def tend(self, *, quiet: bool = False) -> bool:
        """Upkeep for idle moments: :meth:`Packed.tend`."""
        return self.packed.tend(quiet=quiet)

    @property
    def damage(self) -> tuple[str, ...]:
        """What of the store is known to be lost, in words."""
        return (*self.gone, *(f"{ref} is damaged" for ref in self.bad_refs))

    @property
    def gone(self) -> tuple[str, ...]:
        """The packs that are lost, in words; while there is any, no session is read."""
        return tuple(f"{name} is gone" for name in self.packed.gone)

    @property
    def bad_refs(self) -> tuple[str, ...]:
        """The refs that cannot be read."""
        return tuple(self.packed.bad_refs)

    def reopen_packs(self) -> None:
        """Notice that a pack was set aside or got another index."""
        self.packed.objects.reopen()

    def give_up_lost(self) -> None:
        """Go on without what :attr:`damage` names. For repairs: sessions that needed it stay unreadable."""
        self.packed.give_up_lost()

    # -- the user's repository --------------------------------------------------------------------------

    def to_repository(self, oids: Iterable[str], anew: Container[str] = (), beside: str | None = None) -> bool:
        """Make these commits and all they reach last in the user's repository, before a ref there names them.

        See :func:`gitsessiond.store.crossing.deposit`.
        """
        return deposit(self, oids, anew, beside).lacked

    def depositing(self, oids: Sequence[str], anew: Container[str] = ()) -> Callable[[], bool]:
        """:meth:`to_repository` for as often as it is called; whether any lacked.

        Again is cheap: it is looked whether all that was looked for the first time is there still.
        """
        looked: frozenset[str] | None = None

        def put() -> bool:
            nonlocal looked
            if looked is not None and all(map(self.in_repository, looked)):
                return False
            lacked, looked = deposit(self, oids, anew)
            return lacked

        return put

    def copy_in(self, commits: Iterable[str], stop: Iterable[str]) -> None:
        """Put copies of ``commits`` and what they reach, except what ``stop`` reaches, into the store (pending).

        For commits of the user that a step is about to name: their own branch may let go of them at any time.
        """
        copy_in(self, commits, stop)

    # -- rest -------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the journal; pending objects are dropped. A packing child ends by itself, its pack is found."""
        self.drop_pending()
        self.journal.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def has_content(path: str) -> bool:
    """Whether there is such a file, and something in it."""
    return os.path.exists(path) and os.path.getsize(path) > 0


def open_store(repository: HasDirs, *, durable: bool = True, repair: bool = False) -> Store:
    """Open the store of a repository, creating it when there is none.

    Args:
        durable: False leaves syncing to the operating system (``gitsession.fsync = never``).
        repair: a damaged journal is set aside, and what of it can be read is taken over; what else is missing is
            made anew.

    Raises:
        StateUnreadable: the state is damaged.
        NewerState: it is newer than this program.
        StoreFailed: the disk or git refused.
    """
    state_dir, common_dir = repository.state_dir, repository.common_dir
    with disk_errors(f"{state_dir} cannot be used"):
        prepare(state_dir, common_dir, repair=repair)
        path = os.path.join(state_dir, "journal.db")
        if repair:
            salvage_journal(path)
        elif not has_content(path) and read_refs(os.path.join(state_dir, "store.git"))[0]:
            raise StateUnreadable(f"{path} is gone, with what was recorded last", hint="git session doctor --fix")
        journal = Journal(path, durable=durable)
        try:
            return Store(common_dir, state_dir, journal)
        except BaseException:
            journal.close()
            raise
