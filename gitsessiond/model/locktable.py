"""The table of locks: who has what, who waits for what, and who is next (docs/locks.md).

Pure: the time comes in, and everything that was done comes back as values, to be written down before anybody is told.
Strict first come, first served: a request waits for those before it that want the same, whether or not these could have
it now; only whoever has a lock already and wants more of it goes before them. Nobody's lock is ever taken to end a
deadlock: of those that wait for each other one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitsessiond.model.errors import NotFound, Refused
from gitsessiond.model.lockholds import Holds
from gitsessiond.model.lockmodes import UPDATE, WRITE, is_enough
from gitsessiond.model.locks import (
    Acquired,
    Asked,
    Denied,
    Effect,
    Hold,
    Holder,
    Lost,
    Queued,
    Released,
    Wait,
    Want,
    key_of,
)
from gitsessiond.model.lockwaits import Queue, gives_way, refusal
from gitsessiond.model.resources import Resource, covers

MOST_LOCKS, MOST_WAITING, MOST_LOST = 100_000, 2000, 1000


class Ending(NamedTuple):
    """How a lock ends; ``by`` whom and why, if by another."""

    why: str
    by: Holder | None = None
    reason: str | None = None


GIVEN_BACK, DEAD, DONE, TOO_LATE = Ending("released"), Ending("gone"), Ending("done"), Ending("expired")


class Verdict(NamedTuple):
    """Whether somebody may write: ``why`` not (``held``, ``stale``), by whom, and what became of a stale lock."""

    why: str | None
    held: tuple[Hold, ...] = ()
    lost: Lost | None = None


class LockTable:
    """All locks of one repository. ``last_token``: the highest that was ever given."""

    def __init__(self, last_token: int = 0) -> None:
        self.last_token = last_token
        self.holds = Holds()
        self.waits = Queue(self.holds)
        self._last_ticket = 0
        self._lost: dict[tuple[str, str], Lost] = {}

    @property
    def until(self) -> float:
        """When time changes something next; it may be earlier."""
        return min(self.holds.until, self.waits.until)

    # -- asking and granting --------------------------------------------------------------------------------

    def acquire(self, asked: Asked, now: float) -> tuple[int, list[Effect]]:
        """Grant all of a request, put it into the queue, or refuse it; its number and all that came of it.

        Raises:
            Refused: there are too many locks, or requests that wait.
        """
        done = self.expire(now)
        if len(self.holds) + len(asked.wants) > MOST_LOCKS or len(self.waits) >= MOST_WAITING:
            raise Refused("there are too many locks", hint="git session locks")
        self._last_ticket += 1
        client, needs = asked.holder.client, self.holds.needs(asked)
        upgrades = bool(needs) and all(self.holds.find(client, want.resource.key) for want in needs)
        wait = Wait(self._last_ticket, asked, upgrades, now)
        if not self.waits.is_blocked(wait):
            self._grant(wait, now, done)
        elif asked.until is None:
            done.append(self._denied(wait, "held"))
        else:
            self.waits.put(wait)
            self._untangle(wait, now, done)
            if wait in self.waits:
                done.append(Queued(wait, *self.waits.in_the_way(wait)))
        return wait.ticket, done

    def _denied(self, wait: Wait, why: str, found: tuple[Wait, ...] = ()) -> Denied:
        return Denied(wait.ticket, wait.asked, why, *self.waits.in_the_way(wait), found)

    def _grant(self, wait: Wait, now: float, done: list[Effect]) -> None:
        """Give a request all it wants; what its client waits for besides may be in a circle then."""
        asked = wait.asked
        holds, fresh, replaced = [], [], []
        for want in asked.wants:
            had = self.holds.find(wait.client, key_of(want))
            if had is not None and is_enough(had.mode, want.mode):
                self.holds.renew(had, asked.ttl, now)
                holds.append(had)
                continue
            if had is not None:
                self.holds.take(had)
                replaced.append(had)
            fresh.append(self._put(want, asked, now))
            holds.append(fresh[-1])
        beside = tuple((hold, other) for hold in fresh for other in self.holds.beside(hold))
        done.append(Acquired(wait.ticket, asked, tuple(holds), tuple(fresh), tuple(replaced), beside))
        for other in self.waits.of([wait.client]) if self.waits else ():
            self._untangle(other, now, done)

    def _put(self, want: Want, asked: Asked, now: float) -> Hold:
        """A new lock, with the next token."""
        self.last_token += 1
        hold = Hold(want, asked.holder, self.last_token, asked.ttl, now, asked.reason)
        self.holds.put(hold)
        if self._lost:
            self._lost.pop((hold.client, hold.resource.key), None)
        return hold

    def _let_in(self, freed: Iterable[Resource], now: float, done: list[Effect]) -> None:
        """Grant what waited for these resources and need wait no longer, first come first."""
        given: dict[str, str] = {}  # in a queue for one file those after the first are not looked at any closer
        for wait in self.waits.on(freed):
            if wait not in self.waits or any(
                given.get(claim.resource.key, wait.client) != wait.client for claim in wait.claims
            ):
                continue
            if not self.waits.is_blocked(wait):
                self.waits.take(wait)
                self._grant(wait, now, done)
                given.update((claim.resource.key, wait.client) for claim in wait.claims if claim.mode == WRITE)

    def _untangle(self, wait: Wait, now: float, done: list[Effect]) -> None:
        """Refuse somebody for as long as a request waits for itself by way of others."""
        while wait in self.waits and (found := self.waits.circle_of(wait)):
            victim = gives_way(wait, found)
            self._refuse(victim, refusal(victim, found), now, done, found)

    def _refuse(self, wait: Wait, why: str, now: float, done: list[Effect], found: tuple[Wait, ...] = ()) -> None:
        """End a request that waits; those behind it may be let in."""
        done.append(self._denied(wait, why, found))
        self.waits.take(wait)
        self._let_in([claim.resource for claim in wait.claims], now, done)

    def undo(self, granted: Sequence[Acquired], now: float) -> tuple[list[Hold], list[Effect]]:
        """Take back what was granted in this order and could not be written down; nobody was told of it yet.

        What is held again instead, and what comes of it. Whoever gave back a grant meanwhile, or lost it, has nothing.
        """
        freed: list[Hold] = []
        again: dict[int, Hold] = {}
        for acquired in reversed(granted):
            still = {key_of(hold): hold for hold in acquired.fresh if hold.token in self.holds.by_token}
            for hold in still.values():
                self.holds.take(hold)
                again.pop(hold.token, None)
                freed.append(hold)
            for hold in acquired.replaced:
                if key_of(hold) in still:
                    self.holds.put(hold)
                    again[hold.token] = hold
        done: list[Effect] = []
        self._follow(freed, now, done)
        return list(again.values()), done

    # -- giving back ----------------------------------------------------------------------------------------

    def release(self, client: str, names: Iterable[Resource] | None, now: float) -> list[Effect]:
        """Give back what a client has by these names, None: all; what it does not have is no error."""
        done = self.expire(now)
        holds = self.holds.of(client) if names is None else self._named(client, names)
        self._end(holds, GIVEN_BACK, now, done)
        return done

    def _named(self, client: str, names: Iterable[Resource]) -> list[Hold]:
        return list(dict.fromkeys(hold for name in names for hold in self.holds.named(client, name)))

    def _end(self, holds: Iterable[Hold], how: Ending, now: float, done: list[Effect]) -> None:
        """End locks, and let in who waited for them."""
        ended = self._drop(holds, how, done)
        self._follow(ended, now, done)

    def _drop(self, holds: Iterable[Hold], how: Ending, done: list[Effect]) -> list[Hold]:
        """End locks; which they were."""
        ended = list(holds)
        for hold in ended:
            self.holds.take(hold)
            done.append(Released(hold, *how))
            if how not in (GIVEN_BACK, DEAD, DONE):
                self._remember(hold, Lost(hold.resource.name, hold.token, *how))
        return ended

    def _follow(self, ended: Sequence[Hold], now: float, done: list[Effect]) -> None:
        """Let in who waited for these; who had them and waits may wait for more now, and be in a circle by that."""
        if self.waits:
            self._let_in([hold.resource for hold in ended], now, done)
            for wait in self.waits.of(hold.client for hold in ended):
                self._untangle(wait, now, done)

    def _remember(self, hold: Hold, lost: Lost) -> None:
        """Keep what became of a lock for its holder, who may not know yet."""
        self._lost[hold.client, hold.resource.key] = lost
        if len(self._lost) > MOST_LOST:
            del self._lost[next(iter(self._lost))]

    def lost(self, client: str) -> list[Lost]:
        """What a client had and has lost, and has not asked for again."""
        return [lost for (whose, _), lost in self._lost.items() if whose == client]

    def gone(self, client: str, now: float) -> list[Effect]:
        """A client is dead: what it waits for is forgotten, what it has is free."""
        done = self.expire(now)
        for wait in self.waits.of([client]):
            if wait in self.waits:
                self._refuse(wait, "gone", now, done)
        self._end(self.holds.of(client), DEAD, now, done)
        for key in [key for key in self._lost if key[0] == client]:
            del self._lost[key]
        return done

    def died(self, holds: Iterable[Hold], now: float) -> list[Effect]:
        """The processes that had these are dead."""
        done: list[Effect] = []
        self._end(holds, DEAD, now, done)
        return done

    def done(self, holds: Iterable[Hold], now: float) -> list[Effect]:
        """What these were for is done."""
        done = self.expire(now)
        self._end([hold for hold in holds if hold.token in self.holds.by_token], DONE, now, done)
        return done

    def cancel(self, ticket: int, now: float) -> list[Effect]:
        """End a wait."""
        done = self.expire(now)
        wait = self.waits.find(ticket)
        if wait is not None:
            self._refuse(wait, "cancelled", now, done)
        return done

    def breakable(self, resource: Resource, by: Holder, now: float) -> list[Hold]:
        """The locks of others by this name, that somebody may take from them.

        Raises:
            NotFound: there are none.
        """
        key = resource.key.rstrip("/")
        broken = [
            hold
            for hold in self.holds.on(resource)
            if hold.resource.key.rstrip("/") == key and hold.client != by.client and hold.deadline > now
        ]
        if not broken:
            raise NotFound(f"nobody else has a lock on {resource.name}", hint="git session locks")
        return broken

    def beside(self, broken: Sequence[Hold], by: Asked) -> tuple[Hold, ...]:
        """What would keep ``by`` out even without these."""
        against = self.holds.against(by.holder.client, by.wants)
        return tuple(dict.fromkeys(hold for hold in against if hold not in broken))

    def break_off(self, broken: Sequence[Hold], by: Asked, steal: bool, now: float) -> list[Effect]:
        """Take locks from others; ``steal``: and give what ``by`` asks for before all who wait."""
        done: list[Effect] = []
        if steal and (others := self.beside(broken, by)):
            return [Denied(0, by, "held", others)]
        ended = self._drop(broken, Ending("stolen" if steal else "broken", by.holder, by.reason), done)
        if steal:
            self._grant(Wait(0, by, False, now), now, done)
        self._follow(ended, now, done)
        return done

    # -- keeping --------------------------------------------------------------------------------------------

    def renew(self, client: str, names: Iterable[Resource] | None, now: float) -> tuple[list[Hold], list[Effect]]:
        """Let a client's locks last as long from now on as when they were given; which these are."""
        done = self.expire(now)
        holds = self.holds.of(client) if names is None else self._named(client, names)
        for hold in holds:
            self.holds.renew(hold, hold.ttl, now)
        return holds, done

    def expire(self, now: float) -> list[Effect]:
        """End what is over: locks first, so that who has waited for them to the last moment gets them."""
        done: list[Effect] = []
        if now >= self.holds.until:
            self._end(self.holds.over(now), TOO_LATE, now, done)
        if now >= self.waits.until:
            for wait in self.waits.over(now):
                if wait in self.waits:
                    self._refuse(wait, "timeout", now, done)
        return done

    def put_off(self, seconds: float) -> list[Hold]:
        """Nobody was heard for so long: what could have been renewed meanwhile lasts longer by that."""
        return self.holds.put_off(seconds)

    def take_up(self, holds: Iterable[Hold]) -> None:
        """Locks of a former table, as they are told."""
        for hold in holds:
            self.holds.put(hold)

    # -- looking --------------------------------------------------------------------------------------------

    def check(self, client: str, names: Sequence[Resource], token: int | None, now: float) -> Verdict:
        """Whether a client, or whoever has this token, may write these."""
        if token is not None:
            hold = self.holds.by_token.get(token)
            if hold is None or hold.deadline <= now or not may_write(hold, names):
                lost = next((one for one in self._lost.values() if one.token == token), None)
                return Verdict("stale", tuple(self.holds.against(client, wanting(names))), lost)
            client = hold.client
        held = tuple(dict.fromkeys(one for one in self.holds.against(client, wanting(names)) if one.deadline > now))
        return Verdict("held" if held else None, held)


def may_write(hold: Hold, names: Sequence[Resource]) -> bool:
    """Whether a lock is one for writing, of all these."""
    return hold.mode in (UPDATE, WRITE) and all(covers(hold.resource, name) for name in names)


def wanting(names: Iterable[Resource]) -> list[Want]:
    """What a writer of these needs."""
    return [Want(name, WRITE) for name in names]
