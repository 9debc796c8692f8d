"""Which editor has which file, from what editors leave on disk (docs/editors.md); in front's loop.

The watch tells of names (:meth:`Editing.saw`), a watch of the locks themselves tells that one was written into, a
pidfd tells that an editor ended. Each of these only says where to look; what holds is what is read then.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

from gitsessiond.daemon.link import Link
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.swapwatch import SwapWatch
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.names import quote_path
from gitsessiond.model.opened import Opened, Process, after_quit, after_save, by_manner, judged, with_program
from gitsessiond.model.swapfiles import Lock, Said, elsewhere_of, file_of, is_lock, lock_of, saved_by, spelled
from gitsessiond.store.editors import Found, handle_of, process_of, read_lock, swap_directories, times_of
from gitsessiond.wire.requests import reply_ok

MOST = 1000  # editors and files that are kept in mind; as many of those that quit
GONE_S = 0.05  # vim and nano make a lock anew by deleting it first
TRIES_S = (0.02, 0.1, 0.5)  # a lock that is there and says nothing yet is looked at again
OURS = (b".gitsession/", b".git/")

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

    def begin(self, mark: Mark) -> None:
        """An editor changed a text for the first time since it opened it."""
        ...

    def end(self, mark: Mark) -> None:
        """It quit, crashed, or (where nothing tells that it has the file still) saved."""
        ...


class Told(NamedTuple):
    """Who hears of what is found: replies, events, and that a worktree's panel is another."""

    send: Callable[[Link, Message], None]
    publish: Callable[[Message], None]
    changed: Callable[[str, float], None]
    marks: Marks | None = None


class Spot(NamedTuple):
    """Where to look: a lock's place, in a worktree (None: in a directory of swap files), and when."""

    worktree: str | None
    path: bytes  # the lock's, from the worktree or in the directory
    due: float
    tries: int = 0


class One:
    """A lock, or what is known of an editor after its lock has gone."""

    def __init__(self, worktree: str, path: bytes, place: bytes, lock: Lock, opened: Opened) -> None:
        self.worktree, self.path, self.place, self.lock, self.opened = worktree, path, place, lock, opened
        self.since = datetime.now(UTC)
        self.file_at: float | None = None  # when its file was written, as of the last look
        self.missed: float | None = None  # since when the lock is not there
        self.handle: int | None = None  # a pidfd
        self.process: Process | None = None  # what had the pid when the handle was had
        self.mark: Mark | None = None

    def row(self) -> Message:
        """As the recorder and clients are told."""
        since = self.since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"worktree": self.worktree, "path": quote_path(self.path), "since": since, **self.opened.row()}


class Editing:
    """The editors of all recorded worktrees."""

    def __init__(self, select: selectors.BaseSelector, told: Told, env: Mapping[str, str]) -> None:
        self._select, self._told = select, told
        self._host, self._home = socket.gethostname(), os.fsencode(env.get("HOME") or "/")
        self._sessions: dict[str, str] = {}
        self._due: dict[bytes, Spot] = {}
        self._open: dict[bytes, One] = {}
        self._past: dict[tuple[str, bytes], One] = {}
        self._rows: list[Message] | None = None
        self._swaps = SwapWatch(select, swap_directories(env), self._moved)

    # -- what front tells ---------------------------------------------------------------------------------------

    def set(self, told: Iterable[Message]) -> None:
        """These worktrees are recorded, with their sessions; locks are found as the watch lists them."""
        former, self._sessions = self._sessions, {str(one["worktree"]): str(one.get("session") or "") for one in told}
        for one in [*self._open.values(), *self._past.values()]:
            if one.worktree not in self._sessions:
                self._forget(one)
        if self._sessions.keys() - former.keys():
            self._swaps.begin(fresh=True)

    def saw(self, notice: Notice, now: float) -> None:
        """What the watch saw in a worktree."""
        worktree, path = notice.worktree, notice.path
        if worktree is None or worktree not in self._sessions:
            return
        match notice.what:
            case "created" | "closed" | "moved_in" | "gone" | "attrib" | "lock":
                if is_lock(path):
                    self._want(os.fsencode(worktree) + b"/" + path, Spot(worktree, path, now))
                elif notice.what in ("closed", "moved_in"):
                    self._saved(worktree, path, notice.other, now)
            case "dir" | "lost" | "watched":
                for one in self._open.values():
                    if one.worktree == worktree:
                        self._look_again(one, now)

    def _saved(self, worktree: str, path: bytes, source: bytes, now: float) -> None:
        """A file was saved: by whom, if its manner tells; a nano's lock says something else now."""
        for one in self._open.values():
            if one.path == path and one.worktree == worktree:
                self._look_again(one, now)
        key, program = (worktree, path), saved_by(source, path) if source else None
        known = self._past.get(key)
        if program is not None:
            if known is None or known.opened.program != program:
                self._keep(One(worktree, path, b"", Lock("swap", path), by_manner(program)))
                self._changed(worktree, now)
        elif known is not None and known.opened.program_from == "save manner":
            self._drop_past(known)  # and now by somebody else

    def _look_again(self, one: One, now: float) -> None:
        """Look at a known lock at the next tick."""
        self._want(one.place, self._spot_of(one, now))

    def _spot_of(self, one: One, due: float) -> Spot:
        root = os.fsencode(one.worktree) + b"/"
        if one.place.startswith(root):
            return Spot(one.worktree, one.place[len(root) :], due)
        return Spot(None, one.place.rpartition(b"/")[2], due)

    def _want(self, place: bytes, spot: Spot) -> None:
        """Look there; the sooner of two times counts."""
        before = self._due.get(place)
        if before is None or spot.due < before.due:
            self._due[place] = spot

    def _moved(self, place: bytes) -> None:
        """Something was written at a lock's place, or is in a directory of swap files."""
        now, one = time.monotonic(), self._open.get(place)
        if one is not None:
            self._look_again(one, now)
        elif any(place.rpartition(b"/")[2].startswith(spelled(os.fsencode(root))) for root in self._sessions):
            self._want(place, Spot(None, place.rpartition(b"/")[2], now))

    # -- time ---------------------------------------------------------------------------------------------------

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do."""
        return min((spot.due for spot in self._due.values()), default=None)

    def tick(self, now: float) -> None:
        """Look where something happened."""
        for place in [place for place, spot in self._due.items() if spot.due <= now]:
            self._look(place, self._due.pop(place), now)

    def flush(self, now: float) -> None:
        """A request is about to be handed on: it is to see what every editor has now."""
        self._swaps.begin()
        self._swaps.take()
        for one in list(self._open.values()):
            self._look_again(one, now)
        self.tick(time.monotonic())

    # -- looking ------------------------------------------------------------------------------------------------

    def _look(self, place: bytes, spot: Spot, now: float) -> None:
        """Read a lock, and take in what it says."""
        name, one = place.rpartition(b"/")[2], self._open.get(place)
        lock = lock_of(name) if spot.worktree is not None else Lock("swap", name)
        found = read_lock(place, lock.kind) if lock is not None else None
        if lock is None or found is None:
            if one is not None:
                self._missing(one, now)
            elif spot.tries < len(TRIES_S) and os.path.lexists(place):
                again = spot._replace(due=now + TRIES_S[spot.tries], tries=spot.tries + 1)
                self._want(place, again)
            return
        at = self._file_of(lock, spot, found)
        if at is None or at[1].startswith(OURS):
            return
        worktree, path = at
        times = times_of(found, os.fsencode(worktree) + b"/" + path)
        lives = one is not None and one.handle is not None and one.opened.pid == found.said.pid
        process = one.process if one is not None and lives else process_of(found.said.pid)
        opened = judged(lock.kind, self._named(found.said, spot), process, self._host, times)
        if self._swaps.add(place):
            self._want(place, spot._replace(due=now))  # what was written before there was a watch
        if one is not None and (one.opened.pid, one.path) != (opened.pid, path):
            self._leave(one, now)
            one = None
        if one is None:
            one = self._meet(One(worktree, path, place, lock, opened), process)
            if one is None:
                return
            self._event("editor_opened", one)
            self._turned(one, None, times.file, now)
        else:
            before, one.opened, one.missed = one.opened, with_program(opened, one.opened), None
            self._turned(one, before, times.file, now)

    def _named(self, said: Said, spot: Spot) -> Said:
        """The word of a lock; Neovim's says vim, but where it lies says more."""
        return said._replace(program="nvim") if spot.worktree is None else said

    def _file_of(self, lock: Lock, spot: Spot, found: Found) -> tuple[str, bytes] | None:
        """The worktree and the path of the file that a lock is of; None: it is none of ours."""
        if spot.worktree is not None:
            directory, _, _ = spot.path.rpartition(b"/")
            name = file_of(lock, found.said)
            return spot.worktree, directory + b"/" + name if directory else name
        path = elsewhere_of(spot.path, found.said, self._home)
        for worktree in sorted(self._sessions, key=len, reverse=True):
            root = os.fsencode(worktree) + b"/"
            if path is not None and path.startswith(root) and b"/../" not in path:
                return worktree, path[len(root) :]
        return None

    def _meet(self, one: One, process: Process | None) -> One | None:
        """Keep a new lock in mind, and hear of what becomes of it; None: there are too many."""
        if len(self._open) >= MOST:
            return None
        self._open[one.place] = one
        before = self._past.get((one.worktree, one.path))
        if before is not None:
            self._drop_past(before)
        if one.opened.state == "open" and one.opened.pid is not None:
            one.handle, one.process = handle_of(one.opened.pid), process
            if one.handle is not None:
                self._select.register(one.handle, selectors.EVENT_READ, partial(self._ended, one))
        return one

    def _turned(self, one: One, before: Opened | None, file_at: float | None, now: float) -> None:
        """Tell what is different from the last look."""
        opened, saved = one.opened, before is not None and file_at != one.file_at
        one.file_at = file_at
        if opened == before:
            return
        was = before.modified if before is not None else False
        if opened.state == "crashed" and (before is None or before.state != "crashed"):
            self._event("editor_crashed", one)
        elif opened.modified and not was:
            self._event("editor_changed", one)
        elif was and not opened.modified:
            self._event("editor_saved" if saved else "editor_changed", one)
        self._set_mark(one, wanted=opened.is_there and bool(opened.modified or one.mark))
        self._changed(one.worktree, now)

    def _set_mark(self, one: One, *, wanted: bool) -> None:
        """Have the work marked from its first change to its end."""
        if wanted and one.mark is None:
            session = self._sessions.get(one.worktree, "")
            one.mark = Mark(one.worktree, session, one.path, one.opened.program, one.opened.pid, one.place)
            if self._told.marks is not None:
                self._told.marks.begin(one.mark)
        elif not wanted and one.mark is not None:
            mark, one.mark = one.mark, None
            if self._told.marks is not None:
                self._told.marks.end(mark)

    # -- the end of a lock, and of a process --------------------------------------------------------------------

    def _missing(self, one: One, now: float) -> None:
        """A lock is not where it was: it has gone for good if its editor has, or if it stays away for a moment."""
        one.missed = now if one.missed is None else one.missed
        if one.opened.state == "crashed" or now - one.missed >= GONE_S or process_of(one.opened.pid) is None:
            self._leave(one, now)
        else:
            self._want(one.place, self._spot_of(one, one.missed + GONE_S))

    def _leave(self, one: One, now: float) -> None:
        """A lock has gone."""
        del self._open[one.place]
        self._swaps.drop(one.place)
        self._set_mark(one, wanted=False)
        was, stays = one.opened, one.lock.kind in ("link", "kate") and one.opened.pid is not None
        if was.state == "crashed":
            self._part(one)
        elif stays and process_of(was.pid) is not None:
            one.opened = after_save(was)
            self._event("editor_saved", one)
            self._keep(one)
        else:
            self._part(one)
            one.opened = after_quit(was) if was.pid is not None or one.lock.kind == "office" else after_save(was)
            self._event("editor_quit", one)
            self._keep(one)
        self._changed(one.worktree, now)

    def _ended(self, one: One, mask: int) -> None:
        """An editor's process has ended: if its lock is there still, it crashed."""
        now = time.monotonic()
        self._part(one)
        if self._open.get(one.place) is one:
            self._look(one.place, self._spot_of(one, now), now)
        elif self._past.get((one.worktree, one.path)) is one:
            one.opened = after_quit(one.opened)
            self._event("editor_quit", one)
            self._changed(one.worktree, now)

    def _part(self, one: One) -> None:
        """Give the pidfd back."""
        if one.handle is not None:
            self._select.unregister(one.handle)
            os.close(one.handle)
            one.handle = None

    def _keep(self, one: One) -> None:
        """Remember who had a file last."""
        before = self._past.pop((one.worktree, one.path), None)
        if before is not None and before is not one:
            self._part(before)
        self._past[one.worktree, one.path] = one
        if len(self._past) > MOST:
            self._drop_past(next(iter(self._past.values())))

    def _drop_past(self, one: One) -> None:
        del self._past[one.worktree, one.path]
        self._part(one)
        self._rows = None

    def _forget(self, one: One) -> None:
        """Its worktree is recorded no more."""
        self._set_mark(one, wanted=False)
        self._part(one)
        self._swaps.drop(one.place)
        self._open.pop(one.place, None)
        self._past.pop((one.worktree, one.path), None)
        self._rows = None

    # -- telling ------------------------------------------------------------------------------------------------

    def rows(self) -> list[Message]:
        """Everything that is known, as the recorder is told with each request."""
        if self._rows is None:
            self._rows = [one.row() for one in (*self._open.values(), *self._past.values())]
        return self._rows

    def answer(self, link: Link, number: Any, verb: str, args: Message, who: Message) -> None:
        """Answer a verb ``editor.*``.

        Raises:
            BadRequest: there is no such verb.
        """
        if verb != "editor.list":
            raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")
        self.flush(time.monotonic())
        self._told.send(link, reply_ok(number, {"editors": self.rows()}))

    def left(self, link: Link) -> None:
        """A connection has ended: editors have none."""

    def _event(self, what: str, one: One) -> None:
        """Publish what an editor did."""
        session, row = self._sessions.get(one.worktree) or None, one.row()
        named = {key: row[key] for key in ("path", "program", "pid", "modified")}
        self._told.publish({"type": what, "session": session, **named, "resource": f"path/{row['path']}"})

    def _changed(self, worktree: str, now: float) -> None:
        """The panel of a worktree is another."""
        self._rows = None
        self._told.changed(worktree, now)

    def close(self) -> None:
        """The daemon ends."""
        for one in [*self._open.values(), *self._past.values()]:
            self._part(one)
        self._swaps.close()
