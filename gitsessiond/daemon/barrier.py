"""The barrier: a request goes on when front has seen its own cookie go by (docs/protocol.md, "Barrier")."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from gitsessiond.daemon.watch import Watch

WITHIN_S = 0.5
WITHIN_WHEN_BUSY_S = 2.0
STEP_S = 0.1


class Pending(NamedTuple):
    """A request whose barrier is not passed; ``number`` is front's own."""

    number: int
    message: dict[str, Any]
    since: float


class Cookie(NamedTuple):
    """A file whose event is awaited."""

    pending: Pending
    made: float
    due: float
    progress: int  # the watch's when last looked


class Barrier:
    """Requests in front of it, and the cookies that let them through, oldest first."""

    def __init__(self, directory: str, watch: Watch) -> None:
        self._directory, self._watch = directory, watch
        self._waiting: list[Pending] = []
        self._cookies: dict[bytes, Cookie] = {}

    def put(self, pending: Pending) -> None:
        """A request has come; :meth:`begin` makes its cookie."""
        self._waiting.append(pending)

    def begin(self, now: float, *, needed: bool) -> list[Pending]:
        """Make a cookie for each request without one; returns those that may go on at once.

        A request's patience begins here: that a recorder had to be started first is no reason to be told less.
        """
        waiting, self._waiting = self._waiting, []
        passed = []
        for pending in [one._replace(since=now) for one in waiting]:
            if not (needed and self._watch.can_cookie and self._make(pending, now)):
                passed.append(pending)
        return passed

    def _make(self, pending: Pending, now: float) -> bool:
        """Make one cookie; False when the disk refuses it (then nothing can be saved either)."""
        name = f"{os.getpid()}-{pending.number}"
        try:
            os.close(os.open(os.path.join(self._directory, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError:
            return False
        self._cookies[name.encode()] = Cookie(pending, now, now + WITHIN_S, self._watch.progress)
        return True

    def seen(self, name: bytes) -> Pending | None:
        """A cookie's event came: the request that may go on."""
        cookie = self._cookies.pop(name, None)
        if cookie is None:
            return None
        self._eat(name)
        return cookie.pending

    def _eat(self, name: bytes) -> None:
        """Remove a cookie's file."""
        try:
            os.unlink(os.path.join(os.fsencode(self._directory), name))
        except OSError:
            pass  # the directory is gone, and front is about to notice

    def late(self, now: float) -> list[Pending]:
        """Requests whose cookie was not seen in time; while events are worked off there is more of it."""
        found = []
        for name, cookie in list(self._cookies.items()):
            if cookie.due > now:
                continue
            progress = self._watch.progress
            if progress != cookie.progress and now - cookie.made < WITHIN_WHEN_BUSY_S:
                self._cookies[name] = cookie._replace(due=now + STEP_S, progress=progress)
                continue
            del self._cookies[name]
            self._eat(name)
            found.append(cookie.pending)
        return found

    def next_look(self) -> float | None:
        """When :meth:`late` has something to do."""
        return min((cookie.due for cookie in self._cookies.values()), default=None)

    def clear(self) -> list[Pending]:
        """Forget all requests; returns them."""
        found = [*self._waiting, *(cookie.pending for cookie in self._cookies.values())]
        self._waiting.clear()
        for name in list(self._cookies):
            self._eat(name)
        self._cookies.clear()
        return found

    @property
    def idle(self) -> bool:
        """Nobody waits."""
        return not self._waiting and not self._cookies
