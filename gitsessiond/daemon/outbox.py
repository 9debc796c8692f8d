"""What waits to be handed to the recorder, in order, one thing at a time. Pure: time is passed in.

Batches of one worktree stay apart while the recorder keeps up, so that saves that became quiet apart are steps apart;
when more than :data:`MOST_APART` of them wait they are joined. A request that only reads goes first after a while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

MOST_APART = 4
MOST_NAMES = 2000  # of one batch message; more are cut, so that a request never waits long for one message
READ_WAITS_S = 1.5


class Batch(NamedTuple):
    """Names of one worktree that became quiet together (quoted), or a look everywhere."""

    worktree: str
    paths: tuple[str, ...] = ()
    scan: bool = False
    git: bool = False

    def and_(self, other: Batch) -> Batch:
        """Both in one; a scan needs no names."""
        scan = self.scan or other.scan
        paths = () if scan else tuple(dict.fromkeys((*self.paths, *other.paths)))
        return Batch(self.worktree, paths, scan, self.git or other.git)


class Ask(NamedTuple):
    """A request on its way; ``number`` is front's own. ``answer``: who gets the reply, if no client does."""

    number: int
    message: dict[str, Any]
    reads: bool
    since: float
    tried: int = 0
    answer: Callable[[dict[str, Any]], None] | None = None


Item = Batch | Ask


class Outbox:
    """The queue, and the one item the recorder is at work on. ``editors``: what each request tells of them."""

    def __init__(self, editors: Callable[[], list[dict[str, Any]]] = list) -> None:
        self.editors = editors
        self._queue: deque[Item] = deque()
        self.in_flight: Item | None = None
        self._begun = 0.0  # when that was handed on
        self._batches = 0

    def put_batch(self, batch: Batch) -> None:
        """Queue a batch behind everything, or join it with one that waits."""
        apart = []
        for at in range(len(self._queue) - 1, -1, -1):
            item = self._queue[at]
            if isinstance(item, Ask):
                break  # a request sees what came before it, and nothing later may slip in
            if item.worktree == batch.worktree:
                apart.append(at)
        if apart and (len(apart) >= MOST_APART or batch.scan or self._is_scan(apart[0])):
            item = self._queue[apart[0]]
            assert isinstance(item, Batch)
            self._queue[apart[0]] = item.and_(batch)
        else:
            self._queue.append(batch)

    def _is_scan(self, at: int) -> bool:
        item = self._queue[at]
        return isinstance(item, Batch) and item.scan

    def put_ask(self, ask: Ask) -> None:
        """Queue a request behind everything."""
        self._queue.append(ask)

    def put_back(self, item: Item) -> None:
        """Queue before everything: what the recorder died over or has not finished, what a new one must see."""
        self._queue.appendleft(item)

    def next(self, now: float) -> dict[str, Any] | None:
        """The message to send now; None: nothing waits, or the recorder is at work."""
        if self.in_flight is not None or not self._queue:
            return None
        self._begun = now
        hurried = self._hurried(now)
        if hurried is not None:
            left = self.names_before(hurried)
            del self._queue[self._queue.index(hurried)]
            return self._ask(hurried, left)
        item = self._queue.popleft()
        return self._ask(item, 0) if isinstance(item, Ask) else self._batch(item)

    def _hurried(self, now: float) -> Ask | None:
        """The first request that only reads and has waited long enough; what it passes, it does not need to see."""
        for item in self._queue:
            if isinstance(item, Ask) and item.reads and now - item.since >= READ_WAITS_S:
                return item
        return None

    def names_before(self, ask: Ask | None) -> int:
        """How many names wait before a request (None: at all); a scan counts as one."""
        count = 0
        for item in self._queue:
            if item is ask:
                break
            if isinstance(item, Batch):
                count += len(item.paths) + item.scan
        return count

    def _ask(self, ask: Ask, left: int) -> dict[str, Any]:
        self.in_flight = ask
        return ask.message | {"id": ask.number, "left": left, "editors": self.editors()}

    def _batch(self, batch: Batch) -> dict[str, Any]:
        """The message of a batch; what is more than one message may hold goes back."""
        if len(batch.paths) > MOST_NAMES:
            self._queue.appendleft(batch._replace(paths=batch.paths[MOST_NAMES:], git=False))
            batch = batch._replace(paths=batch.paths[:MOST_NAMES])
        self._batches += 1
        self.in_flight = batch
        told = {"n": self._batches, "worktree": batch.worktree, "paths": list(batch.paths)}
        return {"batch": told | {"scan": batch.scan, "git": batch.git}}

    @property
    def requests(self) -> int:
        """How many requests wait."""
        return sum(isinstance(item, Ask) for item in self._queue)

    def at_work(self, now: float) -> dict[str, Any] | None:
        """The request the recorder is at work on: its verb, the process that asks, how long already; None: none."""
        if not isinstance(self.in_flight, Ask):
            return None
        message = self.in_flight.message
        who = message.get("who")
        pid = who.get("pid") if isinstance(who, dict) else None
        return {"verb": message["verb"], "pid": pid, "seconds": round(now - self._begun, 1)}

    def busy_s(self, now: float) -> float:
        """How long the recorder is at work on what it was sent; 0: on nothing."""
        return 0.0 if self.in_flight is None else round(now - self._begun, 1)

    def done(self) -> Item | None:
        """The recorder has answered: what it was at work on."""
        item, self.in_flight = self.in_flight, None
        return item

    def withdraw(self, number: int) -> None:
        """Forget a request that was not begun: who asked it is gone."""
        self._queue = deque(item for item in self._queue if isinstance(item, Batch) or item.number != number)

    def clear(self) -> list[Ask]:
        """Empty the queue; returns the requests that were in it."""
        asks = [item for item in self._queue if isinstance(item, Ask)]
        self._queue.clear()
        return asks

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is at work."""
        return self.in_flight is None and not self._queue
