"""Words for tests of the table of locks."""

from __future__ import annotations

from gitsessiond.model.locks import Acquired, Asked, Denied, Effect, Holder, Queued, Released, Want
from gitsessiond.model.locktable import LockTable
from gitsessiond.model.resources import resource


def asked(client: str, *names: str, until: float | None = None, ttl: float = 300.0, agent: bool = False) -> Asked:
    """A request; each name after its mode, as ``X path/a``; X where there is none."""
    wants = []
    for name in names:
        mode, _, what = name.rpartition(" ")
        wants.append(Want(resource(what), mode or "X"))
    return Asked(Holder(client, agent=agent), tuple(wants), ttl, until)


class Ground:
    """A table and a clock, and what came of each request in words."""

    def __init__(self) -> None:
        self.table, self.now = LockTable(), 0.0
        self.tickets: dict[int, str] = {}

    def ask(self, client: str, *names: str, wait: float | None = None, ttl: float = 300.0, agent: bool = False) -> str:
        until = None if wait is None else self.now + wait
        ticket, done = self.table.acquire(asked(client, *names, until=until, ttl=ttl, agent=agent), self.now)
        self.tickets[ticket] = client
        return self.told(done)

    def line_up(self) -> None:
        """Ann has path/a; bob and cat wait for it, in this order."""
        self.ask("ann", "path/a")
        self.ask("bob", "path/a", wait=30)
        self.ask("cat", "path/a", wait=30)

    def release(self, client: str, *names: str) -> str:
        return self.told(self.table.release(client, [resource(name) for name in names] or None, self.now))

    def later(self, seconds: float) -> str:
        self.now += seconds
        return self.told(self.table.expire(self.now))

    def told(self, done: list[Effect]) -> str:
        """What happened, each effect as ``client: what``."""
        words = []
        for one in done:
            match one:
                case Acquired():
                    words.append(f"{one.asked.holder.client} has {' '.join(hold.resource.name for hold in one.holds)}")
                case Queued():
                    words.append(f"{one.wait.client} waits {one.position}")
                case Denied():
                    words.append(f"{one.asked.holder.client} {one.why}")
                case Released():
                    words.append(f"{one.hold.client} {one.why} {one.hold.resource.name}")
        return ", ".join(words)

    def token(self, client: str, name: str) -> int:
        (hold,) = self.table.holds.named(client, resource(name))
        return hold.token

    def take_from(self, by: Asked, steal: bool) -> str:
        """Break what others have of the one thing that is asked for."""
        broken = self.table.breakable(by.wants[0].resource, by.holder, self.now)
        return self.told(self.table.break_off(broken, by, steal, self.now))
