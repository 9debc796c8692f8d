"""The store: objects and refs of all sessions of one repository (docs/format.md).

Objects are written to a journal and packed later; the user's repository is read, and written only by
:meth:`Store.to_repository` and :meth:`Store.move_repository_refs`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol

from gitsessiond.model.errors import Moved, StateUnreadable
from gitsessiond.store.crossing import copy_in, deposit
from gitsessiond.store.housekeeping import CHECKPOINT_RECORDS, MANY_PACKS, Job, Packer, packs_to_merge
from gitsessiond.store.journal import Journal
from gitsessiond.store.layout import disk_errors, follow_shallow, prepare, read_refs, remove_refs, sync_refs
from gitsessiond.store.objects import Object, oid_of, pack_entry, read_entry
from gitsessiond.store.ours import OwnPacks
from gitsessiond.store.packs import pack_records, remove_pack
from gitsessiond.store.refs import RefMove, move_refs
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
        self._pack_directory = os.path.join(self.git_dir, "objects", "pack")
        self._packer = Packer()
        self._pending: dict[str, bytes] = {}
        self._fresh: dict[str, bytes] = {}  # small pending blobs as they were put: most are read again at once
        self._pending_bytes = 0
        self._packs = OwnPacks(self.git_dir)
        self._theirs = TheirObjects(common_dir)
        self._packed_refs, self._bad_refs = read_refs(self.git_dir)
        self._gone_packs = self._take_stock()

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
        found = self._packs.read(oid) or self._theirs.read(oid)
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
        return oid in self._pending or oid in self.journal or self._packs.has(oid)

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
        return self._packed_refs.get(name)

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """All refs of the store that begin with ``prefix``."""
        found: dict[str, str | None] = {**self._packed_refs, **self.journal.moved}
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
        """Bring everything recorded into packs and refs of store.git, where plain git reads it, before returning.

        Raises:
            StateUnreadable: an object of the journal is garbled.
            StoreFailed: the disk or git refused; nothing is lost, and the next checkpoint tries again.
        """
        if self._packer.running():
            self._finish()
        record = self.journal.last_record
        with disk_errors("the journal cannot be packed"):
            name = pack_records(self.journal.path, record, self._pack_directory)
        self._settle(record, {name: 0} if name else {})

    def tend(self, *, quiet: bool = False) -> bool:
        """Upkeep for idle moments: starts packing children and takes what they made, and never waits.

        Args:
            quiet: nothing was recorded for a while: time for a checkpoint of a few records, and to merge packs.

        Returns:
            Whether there is more of it, so that it is worth calling again soon.

        Raises:
            StateUnreadable, StoreFailed: packing failed; nothing is lost.
        """
        if self._packer.running():
            if self._packer.done():
                self._finish()
            return True
        waiting, packs = self.journal.waiting(), self.journal.packs()
        merge = packs_to_merge(packs) if quiet or len(packs) >= MANY_PACKS else None
        if waiting >= CHECKPOINT_RECORDS or (waiting and quiet):
            record = self.journal.last_record
            words = ("records", self.journal.path, str(record), self._pack_directory)
            self._packer.start(Job(words, record))
        elif merge is not None:
            names, level = merge
            self._packer.start(Job(("merge", self.git_dir, *names), None, names, level))
        return self._packer.running()

    def _finish(self) -> None:
        """Take what the packing child made."""
        job, name = self._packer.result()
        if job.record is not None:
            self._settle(job.record, {name: 0} if name else {})
            return
        assert name is not None
        self.journal.replace_packs(job.packs, {name: job.level})
        self._packs.reopen()
        with disk_errors("old packs cannot be removed"):
            for old in job.packs:
                if old != name:
                    remove_pack(self._pack_directory, old)

    def _settle(self, record: int, packs: Mapping[str, int]) -> None:
        """The end of a checkpoint, once its pack is on the disk: refs, then a transaction empties the journal."""
        with disk_errors("store.git cannot be written"):
            follow_shallow(self.common_dir, self.git_dir)
        moved = self.journal.moves_up_to(record)
        move_refs(
            self.git_dir,
            [
                RefMove(name, self._packed_refs.get(name), new)
                for name, new in moved.items()
                if self._packed_refs.get(name) != new
            ],
            "checkpoint",
            compare=False,
        )
        with disk_errors("store.git cannot be written"):
            sync_refs(self.git_dir, moved)
        self._packs.look_again()
        self.journal.forget(record, packs)
        self._packed_refs, self._bad_refs = read_refs(self.git_dir)

    def _take_stock(self) -> list[str]:
        """Enter packs the manifest does not know (a crash, a lost journal); return those that are gone."""
        there = {name.removesuffix(".idx") for name in os.listdir(self._pack_directory) if name.endswith(".idx")}
        known = self.journal.packs()
        if there - known.keys():
            self.journal.replace_packs((), dict.fromkeys(there - known.keys(), 0))
        return sorted(known.keys() - there)

    @property
    def damage(self) -> tuple[str, ...]:
        """What of the store is known to be lost, in words."""
        return (*self.gone, *(f"{ref} is damaged" for ref in self._bad_refs))

    @property
    def gone(self) -> tuple[str, ...]:
        """The packs that are lost, in words; while there is any, no session is read."""
        return tuple(f"{name} is gone" for name in self._gone_packs)

    @property
    def bad_refs(self) -> tuple[str, ...]:
        """The refs that cannot be read."""
        return tuple(self._bad_refs)

    def reopen_packs(self) -> None:
        """Notice that a pack was set aside or got another index."""
        self._packs.reopen()

    def give_up_lost(self) -> None:
        """Go on without what :attr:`damage` names. For repairs: sessions that needed it stay unreadable."""
        self.journal.replace_packs(self._gone_packs, {})
        remove_refs(self.git_dir, self._bad_refs)
        self._gone_packs, self._bad_refs = [], []

    # -- the user's repository --------------------------------------------------------------------------

    def to_repository(self, oids: Iterable[str]) -> None:
        """Make these commits and all they reach last in the user's repository, before a ref there names them."""
        deposit(self, oids)

    def copy_in(self, commits: Iterable[str], stop: Iterable[str]) -> None:
        """Put copies of ``commits`` and what they reach, except what ``stop`` reaches, into the store (pending).

        For commits of the user that a step is about to name: their own branch may let go of them at any time.
        """
        copy_in(self, commits, stop)

    def move_repository_refs(self, moves: Sequence[RefMove], why: str, *, env: Mapping[str, str] | None = None) -> None:
        """Move refs of the user's repository, all or none: :func:`gitsessiond.store.refs.move_refs`."""
        move_refs(self.common_dir, moves, why, env=env)

    # -- rest -------------------------------------------------------------------------------------------

    def stats(self) -> dict[str, int]:
        """Figures for `daemon status`."""
        files = os.scandir(self._pack_directory)
        sizes = [entry.stat().st_size for entry in files if entry.name.endswith(".pack")]
        return {
            "journal_objects": len(self.journal),
            "journal_records": self.journal.last_record,
            "packs": len(sizes),
            "pack_bytes": sum(sizes),
        }

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
