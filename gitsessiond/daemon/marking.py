"""Unsaved work in editors as locks: a mark of intent from the first change to the end, X where nobody can merge.

The editor is a client of its own, which lives by its process. What no process of this machine proves has no mark.
Whether a file is one that nobody can merge the recorder is asked, after the mark is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple, Protocol

from gitsessiond.daemon.editors import Mark
from gitsessiond.daemon.outbox import Ask
from gitsessiond.model.clients import Client
from gitsessiond.model.lockmodes import INTENT, WRITE
from gitsessiond.model.names import quote_path
from gitsessiond.model.resources import name_of_path
from gitsessiond.wire.requests import request, who_asks

RENEW_S, LEAST_S = 60.0, 1.0  # marks last as long as locks do; nobody but us knows that the editor lives
FIRST = -1_000_000_000  # of the numbers of our own questions; others' are above

Message = dict[str, Any]


class Present(Protocol):
    """Who is there."""

    def editor(self, pid: int, program: str, cwd: str) -> Client | None:
        """The client that an editor's process is; None: it has ended, or is another user's."""
        ...


class Lockable(Protocol):
    """The locks."""

    def mark(self, client: Client, name: str, mode: str, reason: str, now: float) -> None:
        """Have a client hold a lock that it has not asked for; it does not wait for it."""
        ...

    def unmark(self, client: str, name: str, now: float) -> None:
        """Take that back."""
        ...

    def keep(self, client: str, name: str, now: float) -> bool:
        """Let it last anew; False: nothing is left of it."""
        ...


class Made(NamedTuple):
    """A mark that was made: whose, and on what."""

    client: Client
    name: str
    reason: str


class LockMarks:
    """The marks of all editors.

    ``ask``: have the recorder asked something that only reads. ``lasting``: for how many seconds a lock is given.
    """

    def __init__(
        self, present: Present, locks: Lockable, ask: Callable[[Ask], None], lasting: Callable[[], float]
    ) -> None:
        self._present, self._locks, self._ask, self._lasting = present, locks, ask, lasting
        self._made: dict[bytes, Made] = {}
        self._unasked: dict[tuple[str, str], list[tuple[Mark, Made]]] = {}  # by worktree and session
        self._asked: set[tuple[str, str]] = set()  # where an answer is waited for
        self._numbers = count(FIRST, -1)
        self._renew_at = 0.0

    def begin(self, mark: Mark) -> str | None:
        """Work begins; the id of the client whose it is, None: nobody's who can be a client."""
        name, now = name_of_path(mark.path), time.monotonic()
        program = mark.program or "editor"
        client = self._present.editor(mark.pid, program, mark.worktree) if mark.pid is not None else None
        if client is None:
            return None
        if name is not None:
            made = self._made[mark.place] = Made(client, name, f"being edited in {program}")
            self._renew_at = self._renew_at or self._next(now)
            self._locks.mark(client, name, INTENT, made.reason, now)
            self._unasked.setdefault((mark.worktree, mark.session), []).append((mark, made))
            self._ask_modes(mark.worktree, mark.session)
        return client.id

    def _ask_modes(self, worktree: str, session: str) -> None:
        """Have locked what nobody could merge two versions of: one question at a time, of all that is marked till then.

        An editor can have a thousand changed files at once, and others wait for the recorder too.
        """
        if (worktree, session) in self._asked or not self._unasked.get((worktree, session)):
            return
        asked = self._unasked.pop((worktree, session))
        self._asked.add((worktree, session))

        def answered(reply: Message) -> None:
            self._asked.discard((worktree, session))
            for (mark, made), found in zip(asked, reply.get("ok", {}).get("modes", ()), strict=False):
                if self._made.get(mark.place) is made and found["mode"] == WRITE:
                    self._locks.mark(made.client, made.name, WRITE, made.reason, time.monotonic())
            self._ask_modes(worktree, session)

        paths = [quote_path(mark.path) for mark, _ in asked]
        message = request("editors.mode", {"paths": paths}, who_asks(worktree, session or None, {}))
        self._ask(Ask(next(self._numbers), message, True, time.monotonic(), answer=answered))

    def end(self, mark: Mark) -> None:
        """Work ends."""
        made = self._made.pop(mark.place, None)
        if made is not None and not any(one[:2] == made[:2] for one in self._made.values()):
            self._locks.unmark(made.client.id, made.name, time.monotonic())

    def next_look(self) -> float | None:
        """When marks must be made to last anew."""
        return self._renew_at if self._made else None

    def tick(self, now: float) -> None:
        """Let the marks last for as long as their editors live; where none is left, intent is said again."""
        if self._made and self._renew_at <= now:
            self._renew_at = self._next(now)
            for made in self._made.values():
                if not self._locks.keep(made.client.id, made.name, now):
                    self._locks.mark(made.client, made.name, INTENT, made.reason, now)

    def _next(self, now: float) -> float:
        """When to do so next: long before they would be over."""
        return now + max(LEAST_S, min(RENEW_S, self._lasting() / 3))
