"""Where to look for what editors leave on disk (docs/editors.md), and when; in front's loop.

The watch tells of names (:meth:`Editing.saw`), a watch of the locks themselves tells that one was written into, a
pidfd tells that an editor ended. Each of these only says where to look; what holds is what is read then.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gitsessiond.daemon.editors import MOST, Editors, Marks, One, Told
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.log import log_bug
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.swapwatch import SwapWatch
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.opened import judged
from gitsessiond.model.swapfiles import Lock, Said, elsewhere_of, file_of, is_lock, lock_of, saved_by, spelled
from gitsessiond.store.editors import Found, process_of, read_lock, swap_directories, times_of
from gitsessiond.wire.requests import reply_ok

GONE_S = 0.05  # vim and nano make a lock anew by deleting it first
TRIES_S = (0.02, 0.1, 0.5)  # a lock that is there and says nothing yet is looked at again
MOST_DUE = 2 * MOST  # places to look at; who makes more of them at once is no editor

Message = dict[str, Any]


def is_users(path: bytes) -> bool:
    """Whether a path below a worktree can be a file of the user's: not ours, nor git's own here or further down."""
    parts = path.split(b"/")
    return parts[0] != b".gitsession" and not any(part.lower() in (b"", b".", b"..", b".git") for part in parts)


class Spot(NamedTuple):
    """Where to look: a lock's place, in a worktree (None: in a directory of swap files), and when."""

    worktree: str | None
    path: bytes  # the lock's, from the worktree or in the directory
    due: float
    tries: int = 0


class Editing:
    """The verbs ``editor.*``, and looking after the editors of all recorded worktrees."""

    def __init__(self, select: selectors.BaseSelector, told: Told, env: Mapping[str, str]) -> None:
        self._send = told.send
        self._editors = Editors(select, told, self._look_now)
        self._host, self._home = socket.gethostname(), os.fsencode(env.get("HOME") or "/")
        self._due: dict[bytes, Spot] = {}
        self._swaps = SwapWatch(select, swap_directories(env), self._moved)

    def rows(self) -> list[Message]:
        """All that is known, as the recorder is told with each request."""
        return self._editors.rows()

    def mark_by(self, marks: Marks) -> None:
        """Have work marked by these from now on."""
        self._editors.marks = marks

    # -- what front tells ---------------------------------------------------------------------------------------

    def set(self, told: Iterable[Message]) -> None:
        """These worktrees are recorded, with their sessions; locks are found as the watch lists them."""
        former = self._editors.sessions.keys()
        for one in self._editors.set_sessions({str(one["worktree"]): str(one.get("session") or "") for one in told}):
            self._swaps.drop(one.place)
        kept = self._editors.sessions
        self._due = {at: spot for at, spot in self._due.items() if spot.worktree is None or spot.worktree in kept}
        if self._editors.sessions.keys() - former:
            self._swaps.begin(fresh=True)

    def saw(self, notice: Notice, now: float) -> None:
        """What the watch saw in a worktree."""
        worktree, path = notice.worktree, notice.path
        if worktree is None or worktree not in self._editors.sessions:
            return
        match notice.what:
            case "created" | "closed" | "moved_in" | "gone" | "attrib" | "lock":
                if is_lock(path):
                    self._want(os.fsencode(worktree) + b"/" + path, Spot(worktree, path, now))
                elif notice.what == "moved_in" or (notice.what == "closed" and self._editors.any):
                    self._saved(notice, worktree, now)
            case "dir" | "lost" | "watched":
                for one in self._editors.open.values():
                    if one.worktree == worktree:
                        self._look_again(one, now)

    def _saved(self, notice: Notice, worktree: str, now: float) -> None:
        """A file was saved: by whom, if its manner tells; its nano's lock means something else now."""
        for one in self._editors.of(worktree, notice.path):
            self._look_again(one, now)
        self._editors.saved(worktree, notice.path, saved_by(notice.other, notice.path), now)

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
        if before is None and len(self._due) >= MOST_DUE:
            return
        if before is None or spot.due < before.due:
            self._due[place] = spot

    def _moved(self, place: bytes) -> None:
        """Something was written at a lock's place, or is in a directory of swap files."""
        now, one = time.monotonic(), self._editors.open.get(place)
        if one is not None:
            self._look_again(one, now)
        elif any(place.rpartition(b"/")[2].startswith(spelled(os.fsencode(root))) for root in self._editors.sessions):
            self._want(place, Spot(None, place.rpartition(b"/")[2], now))

    # -- time ---------------------------------------------------------------------------------------------------

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do."""
        times = [spot.due for spot in self._due.values()]
        renew = self._editors.marks.next_look() if self._editors.marks is not None else None
        return min(times if renew is None else [*times, renew], default=None)

    def tick(self, now: float) -> None:
        """Look where something happened."""
        for place in [place for place, spot in self._due.items() if spot.due <= now]:
            self._look(place, self._due.pop(place), now)
        if self._editors.marks is not None:
            self._editors.marks.tick(now)

    def flush(self, now: float) -> None:
        """A request is about to be handed on: it is to see what every editor has now."""
        self._swaps.begin()
        self._swaps.take()
        for one in list(self._editors.open.values()):
            self._look_again(one, now)
        self.tick(time.monotonic())

    # -- looking ------------------------------------------------------------------------------------------------

    def _look_now(self, one: One) -> None:
        """An editor's process has ended: its lock tells whether it crashed."""
        now = time.monotonic()
        self._look(one.place, self._spot_of(one, now), now)

    def _look(self, place: bytes, spot: Spot, now: float) -> None:
        """Look at a lock; what nobody foresaw in one must not end the recording of all."""
        try:
            self._read(place, spot, now)
        except Exception as exc:
            log_bug("an editor's lock", exc)

    def _read(self, place: bytes, spot: Spot, now: float) -> None:
        """Read a lock, and take in what it says."""
        name, one = place.rpartition(b"/")[2], self._editors.open.get(place)
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
        if at is None or not is_users(at[1]) or (one is None and self._editors.is_full):
            return
        worktree, path = at
        times = times_of(found, os.fsencode(worktree) + b"/" + path)
        known = one.process if one is not None and one.opened.pid == found.said.pid else None
        process = known or process_of(found.said.pid)
        opened = judged(lock.kind, self._named(found.said, spot), process, self._host, times)
        if self._swaps.add(place):
            self._want(place, spot._replace(due=now))  # what was written before there was a watch
        if one is not None and (one.opened.pid, one.path) != (opened.pid, path):
            self._editors.leave(one, now)
            one = None
        if one is None:
            self._editors.meet(One(worktree, path, place, lock, opened), process, times.file, now)
        else:
            self._editors.turn(one, opened, process, times.file, now)

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
        for worktree in sorted(self._editors.sessions, key=len, reverse=True):
            root = os.fsencode(worktree) + b"/"
            if path is not None and path.startswith(root) and b"/../" not in path:
                return worktree, path[len(root) :]
        return None

    def _missing(self, one: One, now: float) -> None:
        """A lock is not where it was: it has gone for good if its editor has, or if it stays away for a moment."""
        one.missed = now if one.missed is None else one.missed
        if one.opened.state == "crashed" or now - one.missed >= GONE_S or process_of(one.opened.pid) is None:
            self._swaps.drop(one.place)
            self._editors.leave(one, now)
        else:
            self._want(one.place, self._spot_of(one, one.missed + GONE_S))

    # -- front's table ------------------------------------------------------------------------------------------

    def answer(self, link: Link, number: Any, verb: str, args: Message, who: Message) -> None:
        """Answer a verb ``editor.*``.

        Raises:
            BadRequest: there is no such verb.
        """
        if verb != "editor.list":
            raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")
        self.flush(time.monotonic())
        self._send(link, reply_ok(number, {"editors": self._editors.rows()}))

    def left(self, link: Link) -> None:
        """A connection has ended: editors have none."""

    def close(self) -> None:
        """The daemon ends."""
        self._editors.close()
        self._swaps.close()
