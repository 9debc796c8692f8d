"""The recorded worktree: reads what changed on disk and says how that differs from what is recorded.

What is recorded is what ``git add -A`` would store of the worktree (the *entry* of each path) and, where
they differ, the disk's own bytes (*raw*). :meth:`WorkTree.read_paths` and :meth:`WorkTree.scan` return a
:class:`Reading`; once it is recorded, :meth:`WorkTree.accept` makes it what is known. Nothing here writes
to the user's files, index or objects.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from gitsessiond.model.errors import NotFound
from gitsessiond.model.values import Entry
from gitsessiond.store.config import Config
from gitsessiond.store.contents import Contents, Outcome
from gitsessiond.store.files import inode_of
from gitsessiond.store.known import Known, KnownPaths, read_signatures, write_signatures
from gitsessiond.store.readings import Reading, Seen, joined
from gitsessiond.store.repository import Repository
from gitsessiond.store.rules import Rules
from gitsessiond.store.scan import Look, Scan
from gitsessiond.store.seeding import trust_git
from gitsessiond.store.todo import Waiting
from gitsessiond.store.trees import Trees, list_directories, list_tree

CHUNK_FILES = 1000  # one reading's most; more is left for the next
CHUNK_BYTES = 32 << 20


class Pending(NamedTuple):
    """What becomes known when a reading is accepted; ``known`` None: the path is gone."""

    known: Known | None
    racy: bool = False


NOTHING = Known(None)


class WorkTree:
    """One worktree as it is recorded. For one thread."""

    def __init__(self, repository: Repository, wid: str, store: Trees, config: Config) -> None:
        self.repository, self.wid = repository, wid
        self._store, config = store, config.of(repository)
        root = os.fsencode(repository.worktree)
        self._root = root
        self._cache_file = os.path.join(repository.state_dir, "cache", wid)
        self._rules = Rules(repository, config, self._cache_file + ".clean")
        self._tracked = self._rules.tracked
        self._contents = Contents(root, store, self._rules.filters, self._tracked)
        self._known = KnownPaths()
        self._waiting = Waiting(config)
        self._pending: dict[bytes, Pending] = {}
        self._again: set[bytes] = set()  # for the next reading: being written, or not accepted
        self._unclean: set[bytes] = set()  # git cannot store them now; asked again when the index changes
        self._unwatched: set[bytes] | None = None  # None: not looked yet
        self._scan_due = False  # hints alone are not enough for the next reading

    @classmethod
    def open(
        cls,
        repository: Repository,
        wid: str,
        store: Trees,
        config: Config,
        work: str | None,
        raw: str | None,
        beside: Iterable[bytes] = (),
    ) -> WorkTree:
        """A worktree whose trees ``work`` and ``raw`` are recorded; :meth:`scan` tells what differs.

        ``beside``: the paths of another one, each of which is then in memory once for both.
        """
        tree = cls(repository, wid, store, config)
        tree.fill(work, raw, beside)
        read_signatures(tree._cache_file, tree._known)
        return tree

    def fill(self, work: str | None, raw: str | None, beside: Iterable[bytes] = ()) -> None:
        """Take these trees as what is recorded, all of it still to be compared with the disk."""
        self._known = KnownPaths()
        same = {path: path for path in beside}
        for directory, files in list_directories(self._store, work):
            self._known.put_directory(directory, files, same)
        for path, entry in list_tree(self._store, raw):
            known = self._known.at(path)
            self._known.put(path, Known(known.entry if known else None, entry.oid))
        self._waiting.clear()
        self._pending.clear()

    @property
    def known(self) -> Mapping[bytes, Known]:
        """What is recorded, by path."""
        return self._known

    def having_inodes(self, inodes: Collection[int]) -> list[bytes]:
        """Recorded paths that had one of these inodes when they were looked at last."""
        return self._known.having_inodes(inodes)

    @property
    def skipped(self) -> dict[bytes, str]:
        """Paths that are left out now, and why."""
        return self._waiting.skipped()

    def unrecorded(self, paths: Container[bytes]) -> dict[bytes, str]:
        """Those of the paths whose file has what is neither recorded nor in the index, and why it is not recorded."""
        found = {path: why for path, why in self.skipped.items() if path in paths}
        there = [path for path in found if os.path.lexists(os.path.join(self._root, path))]
        if not there:
            return {}
        edited, tracked = self._tracked.edited(there), self._tracked.among(there)
        return {path: found[path] for path in there if path in edited or path not in tracked}

    @property
    def left(self) -> int:
        """How many paths wait to be read."""
        return len(self._waiting)

    @property
    def busy(self) -> frozenset[bytes]:
        """Paths that the next reading looks at again without being told."""
        return frozenset(self._again)

    @property
    def left_out(self) -> frozenset[bytes]:
        """Paths that are tracked but not wanted on disk."""
        return self._tracked.left_out

    def tracks_below(self, directory: bytes) -> bool:
        """Whether git tracks a path below a directory."""
        return self._tracked.any_below(directory)

    def tracks_of(self, paths: Collection[bytes]) -> set[bytes]:
        """Those of these paths that git tracks."""
        return self._tracked.among(paths)

    def follow_left_out(self, now: Mapping[bytes, Entry | None]) -> list[Seen]:
        """Take these for what paths are now that are not wanted on disk: no file can tell. Returns the changes."""
        out = []
        for path, entry in now.items():
            before = self._known.get(path)
            if path in self.left_out and before is not None and before.entry != entry:
                out.append(Seen(path, before.entry, entry, before.raw, None, None, None))
                self._settle(path, Pending(Known(entry) if entry is not None else None))
        return out

    def ignored_directories(self) -> list[bytes]:
        """Directories that need no watch: ignored ones, submodules, nested repositories."""
        if self._unwatched is None:
            self._unwatched = self._tracked.ignored_directories()
        return sorted(self._unwatched)

    def read_paths(self, paths: Iterable[bytes], limit: int = CHUNK_FILES) -> Reading:
        """Read these paths and everything below those that are directories, then what still waits.

        When ignore rules changed it is a :meth:`scan`.

        Raises:
            NotFound: the worktree is gone.
            StoreFailed: git did not answer, or the store refused; nothing is known that was not before.
        """
        wanted = {path.strip(b"/") for path in paths} | self._again
        with self._scan_after_failure():
            self._check_there()
            if self._scan_due or b"" in wanted or self._rules.changed(wanted, self._known):
                return self.scan(limit)
            index_changed = self._rules.index_changed()
            if index_changed:
                wanted |= self._tracked.all() - self._known.names
            self._again.clear()
            look = self._scan().at(wanted)
            if self._unwatched is not None:
                self._unwatched.update(look.ignored, look.links)
            news = self._waiting.add(look, self._known, self._tracked)
            self._again_beside(look, index_changed)
            if index_changed:
                self._waiting.drop(self._rules.unwanted(self._known))
            return self._read(look, news, limit)

    def scan(self, limit: int = CHUNK_FILES) -> Reading:
        """Compare the whole worktree with what is recorded; raises as :meth:`read_paths` does."""
        with self._scan_after_failure():
            self._check_there()
            self._again.clear()
            self._rules.changed(self._known.rules, self._known)
            index_changed = self._rules.index_changed()
            look = self._scan().whole()
            self._unwatched = {*look.ignored, *look.links}
            trust_git(look, self._known, self._tracked, self._rules.filters)
            self._waiting.restart()
            news = self._waiting.add(look, self._known, self._tracked)
            self._again_beside(look, index_changed)
            self._waiting.drop(self._rules.unwanted(self._known))
            self._scan_due = False
            return self._read(look, news, limit)

    def _again_beside(self, look: Look, index_changed: bool) -> None:
        """Read again what is as it was, where what git makes of it may have changed."""
        if self._rules.attributes_changed(look):
            self._waiting.again([*self._rules.filtered(self._known), *self._contents.apart])
        if index_changed:
            left_out = self._tracked.among(self.skipped)  # some may be tracked only now
            self._waiting.again([*self._unclean, *self._contents.followers(), *left_out])

    @contextmanager
    def _scan_after_failure(self) -> Iterator[None]:
        """A reading that failed half-way has lost hints and changes of rules: the next one looks at everything."""
        try:
            yield
        except BaseException:
            self._scan_due = True
            raise

    def scan_whole(self) -> Reading:
        """A :meth:`scan` that leaves nothing for later, however much it is: the first look of a session."""
        readings = [self.scan()]
        while readings[-1].left:
            readings.append(self.read_paths(()))
        return joined(readings)

    def read_whole(self, paths: Iterable[bytes]) -> Reading:
        """:meth:`read_paths` of however many there are, at once."""
        readings = [self.read_paths(paths)]
        while readings[-1].left:
            readings.append(self.read_paths(()))
        return joined(readings)

    def accept(self, reading: Reading) -> None:
        """What was read is recorded now."""
        for seen in reading.changes:
            pending = self._pending.pop(seen.path, None)
            if pending is not None:
                self._settle(seen.path, pending)

    def read_again(self) -> None:
        """A reading could not be recorded: its paths are read by the next one."""
        self._again.update(self._pending)
        self._pending.clear()

    def smudged(self, path: bytes, oid: str, data: bytes) -> bytes:
        """The bytes git would check out for a blob at this path.

        Raises:
            StoreFailed: its filter failed.
        """
        return self._rules.filters.smudge(path, oid, data)

    def close(self) -> None:
        """Keep the signatures for the next start; end the children."""
        self._rules.close()
        try:
            write_signatures(self._cache_file, self._known)
        except OSError:
            pass  # the next start reads a little more

    # -- what is to be read ---------------------------------------------------------------------------------

    def _check_there(self) -> None:
        """Raise NotFound when the worktree is gone: it would read as the deletion of every file."""
        if not os.path.isdir(self._root):
            raise NotFound(f"worktree {self.repository.worktree} is gone", hint="git worktree repair")

    def _scan(self) -> Scan:
        return Scan(self._root, self._known, self._rules.ignore, self._tracked)

    # -- reading --------------------------------------------------------------------------------------------

    def _read(self, look: Look, news: Mapping[bytes, str], limit: int) -> Reading:
        """Read the next of what waits; ``news``: what was just found to be left out."""
        batch = self._waiting.take(limit, CHUNK_BYTES)
        had = {path: self._known.at(path) for path, todo in batch.items() if todo.kind == "file"}
        size, modes = self._rules.max_file_size(), self._rules.modes_count()
        outcomes = self._contents.read(had.items(), max_size=size, modes=modes)
        changes: list[Seen] = []
        skipped = dict(news)
        guarded: dict[bytes, str] = {}
        for path, todo in batch.items():
            if todo.kind != "file":
                known = self._link(path) if todo.kind == "link" else None
                changes += self._changed(path, self._known.at(path), known)
        for outcome in outcomes:
            todo = batch[outcome.path]
            if outcome.again:
                self._again.add(outcome.path)
                continue
            if outcome.skipped is None:
                self._waiting.keep(outcome.path)
                self._unclean.discard(outcome.path)
            elif self._skip(outcome):
                skipped[outcome.path] = outcome.skipped
            if outcome.skipped is None or outcome.known is not None:
                changed = self._changed(outcome.path, had[outcome.path], outcome.known, outcome.racy)
                changes += changed
                if changed and outcome.linked and outcome.known is not None and outcome.known.sig:
                    # written by another name of the same file, for which no event came
                    self._again.update(self._known.twins(outcome.known.sig))
            guard = "many" if todo.many else outcome.guard
            if todo.new and guard and outcome.known is not None:
                guarded[outcome.path] = guard
        changes.sort(key=lambda seen: seen.path)
        prune = tuple(look.ignored + look.links)
        busy = tuple(sorted(self._again))
        return Reading(tuple(changes), tuple(skipped.items()), guarded, prune, busy, len(self._waiting))

    def _changed(self, path: bytes, before: Known | None, known: Known | None, racy: bool = False) -> list[Seen]:
        """The change from what is recorded, for :meth:`accept`; no change is noted at once."""
        if before is None and known is None:
            return []
        if before is not None and known is not None and before[:2] == known[:2]:
            self._settle(path, Pending(known, racy))
            return []
        self._pending[path] = Pending(known, racy)
        old, new = before or NOTHING, known or NOTHING
        inodes = inode_of(old.sig), inode_of(new.sig)
        return [Seen(path, old.entry, new.entry, old.raw, new.raw, *inodes)]

    def _settle(self, path: bytes, pending: Pending) -> None:
        """Make it what is known."""
        if pending.known is None:
            self._known.remove(path)
        else:
            self._known.put(path, pending.known, pending.racy)

    def _link(self, path: bytes) -> Known | None:
        """A submodule as it is recorded; None when git does not track it any more."""
        entry = self._tracked.link_now(path)
        return None if entry is None else Known(entry)

    def _skip(self, outcome: Outcome) -> bool:
        """Note a path that is left out; tells whether that is news."""
        if outcome.known is not None:
            self._unclean.add(outcome.path)
        return self._waiting.skip(outcome.path, outcome.skipped or "", outcome.sig)
