"""What front keeps in mind of editors, and tells of them: those that have a file, and those that had one last."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from gitsessiond.daemon.exits import Exits
from gitsessiond.daemon.link import Link
from gitsessiond.model.moments import moment_text
from gitsessiond.model.names import quote_path
from gitsessiond.model.opened import MANNER, PROCESS, Opened, Process, after_quit, after_save, by_manner, with_program
from gitsessiond.model.resources import name_of_path
from gitsessiond.model.swapfiles import Lock
from gitsessiond.store.editors import process_of, written_at

MOST, MOST_PAST = 1000, 200  # editors that are kept in mind, and of those that quit or saved last

Message = dict[str, Any]


class Mark(NamedTuple):
    """A file with changes that an editor has begun, and whose they are."""

    worktree: str
    session: str
    path: bytes
    program: str | None
    pid: int | None
    place: bytes  # of the lock; no two marks at a time have the same


class Marks(Protocol):
    """Who is told of work from its first change to its end."""

    def begin(self, mark: Mark) -> str | None:
        """An editor changed a text for the first time since it opened it. The id of the client it is; None: of none."""
        ...

    def end(self, mark: Mark) -> None:
        """It quit, crashed, or (where nothing tells that it has the file still) saved."""
        ...

    def tick(self, now: float) -> None:
        """What time brings on."""
        ...

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do."""
        ...


class Told(NamedTuple):
    """Who hears of what is found: replies, events, and that a worktree's panel is another."""

    send: Callable[[Link, Message], None]
    publish: Callable[[Message], None]
    changed: Callable[[str, float], None]


class One:
    """A lock, or what is known of an editor after its lock has gone."""

    def __init__(self, worktree: str, path: bytes, place: bytes, lock: Lock, opened: Opened) -> None:
        self.worktree, self.path, self.place, self.lock, self.opened = worktree, path, place, lock, opened
        self.since = time.time()
        self.file_at: float | None = None  # when its file was written, as of the last turn between changed and not
        self.missed: float | None = None  # since when the lock is not there
        self.process: Process | None = None  # what has the pid, while the end of that is waited for
        self.mark: Mark | None = None
        self.client: str | None = None  # by which it is marked

    def row(self) -> Message:
        """As the recorder and clients are told."""
        return {
            "worktree": self.worktree,
            "path": quote_path(self.path),
            "since": moment_text(self.since),
            "client": self.client,
            **self.opened.row(),
        }


class Editors:
    """Those of all recorded worktrees. ``look``: have a lock looked at, for its process has ended."""

    def __init__(self, select: selectors.BaseSelector, told: Told, look: Callable[[One], None]) -> None:
        self._told, self._look = told, look
        self._exits = Exits[One](select, self._ended)
        self.marks: Marks | None = None
        self.sessions: dict[str, str] = {}  # by worktree
        self.open: dict[bytes, One] = {}  # by the lock's place
        self._files: dict[tuple[str, bytes], list[One]] = {}  # the same by worktree and path
        self._past: dict[tuple[str, bytes], One] = {}
        self._rows: list[Message] | None = None

    @property
    def any(self) -> bool:
        """Whether anything is known: in a burst of saves nothing is looked up if not."""
        return bool(self.open or self._past)

    @property
    def is_full(self) -> bool:
        """Whether there are so many that no other is kept in mind."""
        return len(self.open) >= MOST

    def meet(self, one: One, process: Process | None, file_at: float | None, now: float) -> None:
        """A lock that was not there before."""
        self.open[one.place] = one
        self._files.setdefault((one.worktree, one.path), []).append(one)
        before = self._past.get((one.worktree, one.path))
        if before is not None:
            self._drop(before)
        self._attend(one, process)
        self._event("editor_opened", one)
        self._turned(one, None, file_at, now)

    def _attend(self, one: One, process: Process | None) -> None:
        """Hear of the end of the process that has it."""
        pid = one.opened.process
        if one.opened.state == "open" and pid is not None and process is not None and one.process is None:
            one.process = process if self._exits.wait(one, pid) else None

    def of(self, worktree: str, path: bytes) -> Sequence[One]:
        """The locks of a file."""
        return self._files.get((worktree, path), ())

    def _unlist(self, one: One) -> None:
        """A lock is there no more."""
        if self.open.pop(one.place, None) is not None:
            left = [other for other in self._files.pop((one.worktree, one.path)) if other is not one]
            if left:
                self._files[one.worktree, one.path] = left

    def turn(self, one: One, opened: Opened, process: Process | None, file_at: float | None, now: float) -> None:
        """A lock was looked at again."""
        before, one.opened, one.missed = one.opened, with_program(opened, one.opened), None
        self._attend(one, process)
        self._turned(one, before, file_at, now)

    def _turned(self, one: One, before: Opened | None, file_at: float | None, now: float) -> None:
        """Tell what is different from the last look."""
        opened = one.opened
        if opened == before:
            return
        was, saved = bool(before is not None and before.modified), file_at != one.file_at
        if opened.state == "crashed" and (before is None or before.state != "crashed"):
            self._event("editor_crashed", one)
        elif opened.modified and not was:
            self._event("editor_changed", one)
        elif was and not opened.modified:
            self._event("editor_saved" if saved else "editor_changed", one)
        if before is None or was != bool(opened.modified):
            one.file_at = file_at
        self._set_mark(one, wanted=opened.is_there and bool(opened.modified or one.mark))
        self._changed(one.worktree, now)

    def _set_mark(self, one: One, *, wanted: bool) -> None:
        """Have the work marked from its first change to its end."""
        if wanted and one.mark is None:
            session = self.sessions.get(one.worktree, "")
            one.mark = Mark(one.worktree, session, one.path, one.opened.program, one.opened.process, one.place)
            if self.marks is not None:
                one.client = self.marks.begin(one.mark)
        elif not wanted and one.mark is not None:
            mark, one.mark = one.mark, None
            if self.marks is not None:
                self.marks.end(mark)

    def leave(self, one: One, now: float) -> None:
        """A lock has gone: its editor quit, or, if it has one only while a text is changed, saved or took that back."""
        self._unlist(one)
        self._set_mark(one, wanted=False)
        was, file = one.opened, os.fsencode(one.worktree) + b"/" + one.path
        if was.state == "crashed":
            self._part(one)
        elif one.lock.kind in ("link", "kate") and not (was.state_from == PROCESS and process_of(was.pid) is None):
            one.opened = after_save(was)
            self._event("editor_saved" if written_at(file) != one.file_at else "editor_changed", one)
            self._keep(one)
        else:
            self._part(one)
            one.opened = after_quit(was)
            self._event("editor_quit", one)
            self._keep(one)
        self._changed(one.worktree, now)

    def _ended(self, one: One) -> None:
        """An editor's process has ended: if its lock is there still, it crashed."""
        now, one.process = time.monotonic(), None
        if self.open.get(one.place) is one:
            self._look(one)
        elif self._past.get((one.worktree, one.path)) is one:
            one.opened = after_quit(one.opened)
            self._event("editor_quit", one)
            self._changed(one.worktree, now)

    def saved(self, worktree: str, path: bytes, program: str | None, now: float) -> None:
        """A file was saved; ``program``: in the manner of which one, if that tells."""
        known = self._past.get((worktree, path))
        if program is not None:
            if known is None or known.opened.program != program:
                self._keep(One(worktree, path, b"", Lock("swap", path), by_manner(program)))
                self._changed(worktree, now)
        elif known is not None and known.opened.program_from == MANNER:
            self._drop(known)  # and now by somebody else

    def _part(self, one: One) -> None:
        """Hear of it no more."""
        if one.process is not None and one.opened.pid is not None:
            self._exits.leave(one, one.opened.pid)
            one.process = None

    def _keep(self, one: One) -> None:
        """Remember who had a file last."""
        before = self._past.pop((one.worktree, one.path), None)
        if before is not None and before is not one:
            self._part(before)
        self._past[one.worktree, one.path] = one
        if len(self._past) > MOST_PAST:
            self._drop(next(iter(self._past.values())))

    def _drop(self, one: One) -> None:
        del self._past[one.worktree, one.path]
        self._part(one)
        self._rows = None

    def set_sessions(self, sessions: dict[str, str]) -> list[One]:
        """These worktrees are recorded; of others nothing is kept any more: what was."""
        self.sessions = sessions
        gone = [one for one in (*self.open.values(), *self._past.values()) if one.worktree not in sessions]
        for one in gone:
            self._set_mark(one, wanted=False)
            self._part(one)
            self._unlist(one)
            self._past.pop((one.worktree, one.path), None)
        self._rows = None
        return gone

    def rows(self) -> list[Message]:
        """Everything that is known, as the recorder is told with each request."""
        if self._rows is None:
            self._rows = [one.row() for one in (*self.open.values(), *self._past.values())]
        return self._rows

    def _event(self, what: str, one: One) -> None:
        """Publish what an editor did."""
        session, row = self.sessions.get(one.worktree) or None, one.row()
        named = {key: row[key] for key in ("path", "program", "pid", "modified")}
        self._told.publish({"type": what, "session": session, **named, "resource": name_of_path(one.path)})

    def _changed(self, worktree: str, now: float) -> None:
        """The panel of a worktree is another."""
        self._rows = None
        self._told.changed(worktree, now)

    def close(self) -> None:
        """The daemon ends."""
        self._exits.close()
