"""Requests on their way: in front of the barrier, behind it, with the recorder, answered but held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gitsessiond.daemon.barrier import Barrier, Pending
from gitsessiond.daemon.clients import Clients
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.log import log
from gitsessiond.daemon.outbox import Ask, Outbox
from gitsessiond.daemon.worktrees import Worktrees
from gitsessiond.model.errors import GitSessionError
from gitsessiond.wire.requests import READS, VERSION, reply_error

HOLD_S = 5.0  # how long replies and requests wait for watches to be put in place
STOP = "daemon.stop"

Message = dict[str, Any]


class Held(NamedTuple):
    """A reply that waits until what its request made is watched."""

    link: Link
    reply: Message
    since: float


class Asking:
    """Every request that is not front's own, from its frame to its reply.

    ``on_stop``: a stop's turn has come. ``first``: called before a request is queued, with what comes before it.
    """

    def __init__(
        self,
        clients: Clients,
        barrier: Barrier,
        worktrees: Worktrees,
        outbox: Outbox,
        on_stop: Callable[[], None],
        first: Callable[[float], None] = lambda now: None,
    ) -> None:
        self._clients, self._barrier = clients, barrier
        self._worktrees, self._outbox = worktrees, outbox
        self._on_stop, self._first = on_stop, first
        self._number = 0
        self._asked: dict[int, tuple[Link, Any]] = {}  # our number -> who asked, their number
        self._behind: list[Pending] = []  # past the barrier, but watches are being put in place
        self._held: list[Held] = []

    @property
    def any(self) -> bool:
        """Whether somebody waits for a reply."""
        return bool(self._asked)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be handed to the recorder."""
        return self._barrier.idle and not self._behind

    def put(self, link: Link, number: Any, message: Message, now: float) -> None:
        """A request has come; :meth:`begin` brings it on its way."""
        self._number += 1
        self._asked[self._number] = (link, number)
        self._barrier.put(Pending(self._number, message, now))

    def put_stop(self, now: float) -> None:
        """A stop passes the barrier too, so that what was saved before it is recorded."""
        self._number += 1
        self._barrier.put(Pending(self._number, {"verb": STOP}, now))

    def begin(self, now: float) -> None:
        """Begin the barrier of every request that waits; those that need none go on at once."""
        for pending in self._barrier.begin(now, needed=len(self._worktrees) > 0):
            self._hand_on(pending, now)

    def seen(self, cookie: bytes, now: float) -> None:
        """A cookie's event came."""
        pending = self._barrier.seen(cookie)
        if pending is not None:
            self._hand_on(pending, now)

    def _hand_on(self, pending: Pending, now: float) -> None:
        """Its barrier is passed: what is on disk goes first, then the request, if anybody still waits for it."""
        if self._worktrees.adding and now - pending.since < HOLD_S:
            self._behind.append(pending)  # events may be missing until the watches are in place
        elif pending.message["verb"] == STOP:
            self._on_stop()
        elif pending.number in self._asked:
            self._worktrees.flush(now)
            self._first(now)
            reads = pending.message["verb"] in READS
            self._outbox.put_ask(Ask(pending.number, pending.message, reads, pending.since))

    def tick(self, now: float) -> None:
        """What time brings on: late cookies, watches that are in place, patience that is over."""
        for late in self._barrier.late(now):
            log("a cookie was not seen in time: looking at everything")
            self._worktrees.mark_stale()
            self._hand_on(late, now)
        due = self._hold_until()
        if due is None or (self._worktrees.adding and now < due):
            return
        if self._worktrees.adding:
            self._worktrees.mark_stale()
        self.release()
        behind, self._behind = self._behind, []
        for pending in behind:
            self._hand_on(pending, now)

    def release(self) -> None:
        """Send the replies that waited."""
        held, self._held = self._held, []
        for one in held:
            self._clients.send(one.link, one.reply)

    def _hold_until(self) -> float | None:
        """When to wait no longer for watches to be put in place; None: nobody does."""
        since = [held.since for held in self._held] + [pending.since for pending in self._behind]
        return min(since) + HOLD_S if since else None

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do."""
        times = [due for due in (self._barrier.next_look(), self._hold_until()) if due is not None]
        return min(times, default=None)

    def reply_for(self, ask: Ask, reply: Message) -> tuple[Link | None, Message]:
        """Who waits for this reply (None: gone), and the reply with their number."""
        link, number = self._asked.pop(ask.number, (None, None))
        return link, reply | {"v": VERSION, "id": number}

    def hold(self, link: Link, reply: Message, now: float) -> None:
        """Send a reply at the next tick, or when new watches are in place."""
        self._held.append(Held(link, reply, now))

    def left(self, link: Link) -> int | None:
        """A client is gone: what it asked and nobody has begun is forgotten. The number of what was begun, if any."""
        at_work, begun = self._outbox.in_flight, None
        for number in [number for number, (who, _) in self._asked.items() if who is link]:
            if isinstance(at_work, Ask) and at_work.number == number:
                begun = number
            else:
                self._outbox.withdraw(number)
                del self._asked[number]
        return begun

    def fail(self, error: GitSessionError, ask: Ask | None) -> None:
        """Nobody will answer this request (None: any that waits)."""
        forgotten: list[Pending] = []
        if ask is None:
            self._outbox.clear()
            forgotten = [*self._barrier.clear(), *self._behind]
            self._behind.clear()
            self._worktrees.mark_stale()  # the batches among them are forgotten too
        for number in [ask.number] if ask is not None else list(self._asked):
            link, theirs = self._asked.pop(number, (None, None))
            if link is not None:
                self._clients.send(link, reply_error(theirs, error))
        if any(pending.message["verb"] == STOP for pending in forgotten):
            self._on_stop()  # what it waited for will not come
