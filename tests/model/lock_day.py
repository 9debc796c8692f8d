"""A day of a hundred clients on the table of locks, by a clock of its own."""

from __future__ import annotations

import heapq
import pickle
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

from gitsessiond.model.clients import Client, Clients
from gitsessiond.model.locks import Acquired, Asked, Denied, Effect, Hold, Holder, Released, Want
from gitsessiond.model.locktable import LockTable
from gitsessiond.model.resources import resource

CLIENTS, HEARTBEAT_S, TTL_S, WAIT_S = 100, 30.0, 300.0, 30.0
NAMES = [f"path/d{n // 20}/f{n}" for n in range(200)] + [f"path/d{n}/" for n in range(10)]
NAMES += ["path/**/*.lock", "ref/refs/heads/main", "db/stock", "git/config"]
TICK_S = 5.0
HOUR_S = 3600.0


class Day:
    """Clients that come, lock, wait, give back, die seen, or say nothing more. ``told``: all that the table did.

    Every client gives its heartbeats while it is well. Of those that end some are seen to and some are not: these
    are found out by their silence.
    """

    def __init__(self, seed: int, told: Callable[[Sequence[Effect]], None] = lambda effects: None) -> None:
        self.rng, self.now = random.Random(seed), 0.0
        self.table, self.clients, self._told = LockTable(), Clients(), told
        self.numbers, self.turns = count(), count()
        self.due: list[tuple[float, int, str, str]] = []
        self.well: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.sizes: list[int] = []
        for _ in range(CLIENTS):
            self.come()
        self.at(TICK_S, "", "tick")

    def at(self, seconds: float, client: str, what: str) -> None:
        heapq.heappush(self.due, (self.now + seconds, next(self.turns), client, what))

    def come(self) -> None:
        """One more client."""
        name = f"agent-{next(self.numbers)}"
        self.well.add(name)
        pid = self.rng.choice([None, 1000])  # one whose process lives is not found out by its silence
        self.clients.meet(Client(name, "agent", name, pid=pid, heartbeat=HEARTBEAT_S), self.now)
        self.at(self.rng.random() * 60, name, "act")
        self.at(HEARTBEAT_S, name, "beat")

    def run(self, hours: float) -> None:
        """So many hours of it; the size of all that is kept is noted each hour."""
        until, hour = self.now + hours * HOUR_S, self.now + HOUR_S
        while self.due[0][0] < until:
            look = self.clients.next_look()
            if look is not None and look < self.due[0][0]:
                self.find_out(look)
                continue
            self.now, _, client, what = heapq.heappop(self.due)
            while self.now >= hour:
                hour += HOUR_S
                self.sizes.append(self.size())
            if what == "tick":
                self.tick()
            elif what == "end":
                self.leave(client)
            elif client in self.well:
                self.act(client) if what == "act" else self.beat(client)
        self.sizes.append(self.size())

    def size(self) -> int:
        """Bytes of all that the table and the register of clients know."""
        return len(pickle.dumps((self.table, self.clients)))

    def find_out(self, look: float) -> None:
        """Whom nobody has heard of for too long has nothing any more."""
        self.now = max(self.now, look)
        for change in self.clients.tick(self.now):
            if change.what in ("silent", "disconnected"):
                self.counts["found out"] += change.what == "silent"
                self.did(self.table.gone(change.client.id, self.now))

    def tick(self) -> None:
        """What time brings on, and a new client for each that is no more."""
        self.did(self.table.expire(self.now))
        while len(self.well) < CLIENTS:
            self.come()
        self.at(TICK_S, "", "tick")

    def beat(self, client: str) -> None:
        known = self.clients.get(client)
        assert known is not None
        self.clients.meet(known, self.now)
        self.did(self.table.renew(client, None, self.now)[1])
        self.at(HEARTBEAT_S, client, "beat")

    def act(self, client: str) -> None:
        """Something that clients do, once a minute or so."""
        act = self.rng.choices(
            [self.ask, self.give_back, self.leave, self.fall_silent], [60, 35, 1, 1]
        )[0]  # fmt: skip
        act(client)
        self.at(self.rng.expovariate(1 / 60), client, "act")

    def ask(self, client: str) -> None:
        names = self.rng.sample(NAMES, self.rng.choice([1, 1, 1, 2, 5]))
        wants = tuple(Want(resource(name), self.rng.choice(["S", "U", "X", "X", "intent"])) for name in names)
        until = self.now + WAIT_S if self.rng.random() < 0.7 else None
        self.did(self.table.acquire(Asked(Holder(client, agent=True), wants, TTL_S, until), self.now)[1])

    def give_back(self, client: str) -> None:
        self.did(self.table.release(client, None, self.now))

    def leave(self, client: str) -> None:
        """It goes, or its process is seen to end."""
        self.well.discard(client)
        for change in self.clients.leave(client):
            if change.what == "disconnected":
                self.did(self.table.gone(client, self.now))
        self.counts["gone"] += 1

    def fall_silent(self, client: str) -> None:
        """It hangs; where it lives by a process, that ends much later."""
        self.well.discard(client)
        known = self.clients.get(client)
        if known is not None and known.pid is not None:
            self.at(2 * TTL_S, client, "end")

    def did(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Acquired():
                    self.counts["grants"] += len(effect.fresh)
                case Released():
                    self.counts[effect.why] += 1
                case Denied():
                    self.counts[effect.why] += 1
        if effects:
            self._told(effects)

    def end(self) -> list[Hold]:
        """All that are well go home; those that say nothing are forgotten, the last of them after a day."""
        for client in sorted(self.well) + [client for _, _, client, what in self.due if what == "end"]:
            self.leave(client)
        while (look := self.clients.next_look()) is not None:
            self.find_out(look)
        self.did(self.table.expire(self.now))
        return list(self.table.holds)
