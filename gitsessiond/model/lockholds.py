"""The locks that are held: by client, by token, and where they stand in the tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitsessiond.model.lockmodes import CLASHING, INTENT, KEPT_OUT, READ, UPDATE, is_enough
from gitsessiond.model.locks import Asked, Hold, Want, key_of
from gitsessiond.model.locktree import LockTree
from gitsessiond.model.resources import Resource

NEVER = float("inf")


class Holds:
    """Locks and marks of intent.

    ``until``: none of them ends before, ``shortest``: none is given for less; both may be less than they need be.
    """

    def __init__(self) -> None:
        self._locks: LockTree[Hold] = LockTree()
        self._marks: LockTree[Hold] = LockTree()
        self._of: dict[str, dict[str, Hold]] = {}  # by client, by key
        self.by_token: dict[int, Hold] = {}
        self.until = self.shortest = NEVER

    def __len__(self) -> int:
        return len(self.by_token)

    def __iter__(self) -> Iterator[Hold]:
        return iter(list(self.by_token.values()))

    def of(self, client: str) -> list[Hold]:
        """All that a client has."""
        return list(self._of.get(client, {}).values())

    def find(self, client: str, key: str) -> Hold | None:
        """What a client has by this key."""
        mine = self._of.get(client)
        return mine.get(key) if mine else None

    def named(self, client: str, resource: Resource) -> list[Hold]:
        """What a client has by this name, with or without the slash of a directory: a lock, a mark, or both."""
        mine, key = self._of.get(client, {}), resource.key.rstrip("/")
        keys = [mark + one for one in (key, key + "/") for mark in ("", "intent ")]
        return [mine[one] for one in keys if one in mine]

    def put(self, hold: Hold) -> None:
        """Add a lock."""
        (self._marks if hold.mode == INTENT else self._locks).add(hold)
        self._of.setdefault(hold.client, {})[key_of(hold)] = hold
        self.by_token[hold.token] = hold
        self.until, self.shortest = min(self.until, hold.deadline), min(self.shortest, hold.ttl)

    def take(self, hold: Hold) -> None:
        """Remove a lock."""
        (self._marks if hold.mode == INTENT else self._locks).remove(hold)
        mine = self._of[hold.client]
        del mine[key_of(hold)]
        if not mine:
            del self._of[hold.client]
        del self.by_token[hold.token]
        if not self.by_token:
            self.until = self.shortest = NEVER

    def renew(self, hold: Hold, ttl: float, now: float) -> None:
        """Let a lock last as long from now on as if it were new, no longer and no less."""
        hold.confirmed, hold.ttl, hold.deadline = True, ttl, now + ttl
        self.until, self.shortest = min(self.until, hold.deadline), min(self.shortest, ttl)

    def over(self, now: float) -> list[Hold]:
        """Those whose time is over."""
        if now < self.until:
            return []
        found = [hold for hold in self.by_token.values() if hold.deadline <= now]
        self.until = min((hold.deadline for hold in self.by_token.values() if hold.deadline > now), default=NEVER)
        return found

    def put_off(self, seconds: float) -> list[Hold]:
        """Let last longer what nobody could renew for more than half of its time; which these are."""
        found = [hold for hold in self.by_token.values() if seconds > hold.ttl / 2]
        for hold in found:
            hold.deadline += seconds
        return found

    def needs(self, asked: Asked) -> list[Want]:
        """The locks of a request that its client does not have yet; marks of intent are never in anybody's way."""
        mine = self._of.get(asked.holder.client)
        locks = [want for want in asked.wants if want.mode != INTENT]
        if not mine:
            return locks
        return [want for want in locks if not is_enough(mode_of(mine.get(want.resource.key)), want.mode)]

    def against(self, client: str, wants: Iterable[Want]) -> Iterator[Hold]:
        """The locks of others that keep a client out of what it wants; one may come twice."""
        for resource, mode in wants:
            for hold in self._locks.overlapping(resource, CLASHING[mode]):
                if hold.client != client and hold.mode in KEPT_OUT[mode]:
                    yield hold

    def beside(self, hold: Hold) -> Iterator[Hold]:
        """The marks of intent of others where a lock is; if it is one itself, also locks for more than reading."""
        for other in self._marks.overlapping(hold.resource) if self._marks else ():
            if other.client != hold.client and hold.mode != READ:
                yield other
        for other in self._locks.overlapping(hold.resource, CLASHING[UPDATE]) if hold.mode == INTENT else ():
            if other.client != hold.client and other.mode != READ:
                yield other

    def on(self, resource: Resource) -> list[Hold]:
        """All locks and marks that cover a path of a resource."""
        return [*self._locks.overlapping(resource), *self._marks.overlapping(resource)]


def mode_of(hold: Hold | None) -> str | None:
    """The mode of what may be held."""
    return None if hold is None else hold.mode
