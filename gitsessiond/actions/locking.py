"""Locks that survive the daemon: the table, and the journal that is written before anybody is told.

What is asked changes the table at once and is told only by :meth:`Locking.commit`, so that all that comes in one turn
of the daemon's loop is one line of the journal. Where the disk refuses, a daemon goes on in memory for as long as there
are tokens that no other can give again, and whoever is told of a lock is told that. A grant beyond these is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.lockfaults import table_faults
from gitsessiond.model.lockmodes import STRENGTH
from gitsessiond.model.locks import Acquired, Asked, Denied, Effect, Hold, Lost, Released, key_of
from gitsessiond.model.locktable import LockTable, Verdict
from gitsessiond.model.resources import Resource
from gitsessiond.store.lockjournal import LockJournal
from gitsessiond.store.processes import is_gone

SHORTEST_LOOK_S = 0.05
RESERVE_S = 1.0  # from the start of a daemon until tokens are set apart for it, should the disk refuse the first lock
AGAIN_S = 1.0  # from a failure to the next try, and
AGAIN_TIMES = 10  # so many times as long as it took: everybody waits for it


class Failed(NamedTuple):
    """A request that would have been granted, if that could have been written down."""

    ticket: int
    asked: Asked
    error: GitSessionError


class Locking:
    """The locks of a repository."""

    def __init__(self, journal: LockJournal) -> None:
        self._journal = journal
        self.table = LockTable(journal.highest)
        self._done: list[Effect] = []
        self._requests: dict[tuple[str, str], int] = {}  # those that wait and bear a name
        self._due: float | None = None  # the next look
        self._lives_on = False  # whether locks can be had from memory
        self._reserve_due: float | None = None
        self.trouble: GitSessionError | None = None  # why nothing can be written down
        self._again = 0.0  # when to try that next

    def take_up(self, now: float, *, fresh: bool, fold: bool = False) -> None:
        """Take up the locks of the daemon before this one; ``fresh``: each lasts once more as long as it was given.

        ``fold``: as of :func:`~gitsessiond.model.resources.resource`. Two of one client that are the same by that are
        one, the stronger. Whose process has ended since has none.
        """
        self._lives_on, self._reserve_due = fresh, now + RESERVE_S if fresh else None
        found = self._journal.read(fold=fold)
        strongest = {(hold.client, key_of(hold)): hold for hold in sorted(found, key=lambda one: STRENGTH[one.mode])}
        for hold in found:
            if strongest[hold.client, key_of(hold)] is not hold:
                self._journal.drop(hold)
        found = list(strongest.values())
        for hold in found:
            hold.confirmed = not fresh
            if fresh:
                hold.deadline = now + hold.ttl
        self.table.take_up(found)
        dead = {one for one in {hold.holder for hold in found} if is_gone(one.pid, one.began)}
        self._take(self.table.died([hold for hold in found if hold.holder in dead], now), now)
        self.look(now)

    # -- asking ---------------------------------------------------------------------------------------------

    def waiting(self, client: str, request: str | None) -> int | None:
        """The number of the request of this name that waits."""
        return None if request is None else self._requests.get((client, request))

    def acquire(self, asked: Asked, now: float) -> int:
        """Ask for locks; the number by which the answer is known."""
        ticket, done = self.table.acquire(asked, now)
        self._take(done, now)
        if asked.request is not None and self.table.waits.find(ticket) is not None:
            self._requests[asked.holder.client, asked.request] = ticket
        return ticket

    def release(self, client: str, names: Sequence[Resource] | None, now: float) -> list[Hold]:
        """Give locks back; which they were."""
        done = self.table.release(client, names, now)
        self._take(done, now)
        return [one.hold for one in done if isinstance(one, Released) and one.why == "released"]

    def renew(self, client: str, names: Sequence[Resource] | None, now: float) -> list[Hold]:
        """Let locks last anew; which they are."""
        holds, done = self.table.renew(client, names, now)
        self._take(done, now)
        for hold in holds:
            self._journal.put(hold)
        return holds

    def break_off(self, resource: Resource, by: Asked, steal: bool, now: float, at: str) -> list[Effect]:
        """Take the locks of others on a resource from them; ``at``: the time, for who looks it up later.

        Raises:
            NotFound: there is none of this name.
            StoreFailed: it cannot be noted; nothing was broken.
        """
        broken = self.table.breakable(resource, by.holder, now)
        if steal:
            self._journal.reserve(self.table.last_token)
        how = "stolen" if steal else "broken"
        for hold in broken if not (steal and self.table.beside(broken, by)) else ():
            told = {"at": at, "how": how, "name": hold.resource.name, "mode": hold.mode, "token": hold.token}
            facts = {"of": hold.holder._asdict(), "by": by.holder._asdict(), "reason": by.reason}
            self._journal.broke(told | facts)
        done = self.table.break_off(broken, by, steal, now)
        self._take(done, now)
        return done

    def check(self, client: str, names: Sequence[Resource], token: int | None, now: float) -> Verdict:
        """Whether somebody may write these."""
        return self.table.check(client, names, token, now)

    def others(self, client: str, names: Sequence[Resource], now: float) -> list[Hold]:
        """The locks of others by these names."""
        keys = {name.key.rstrip("/") for name in names}
        found = [hold for name in names for hold in self.table.holds.on(name) if hold.client != client]
        return [hold for hold in dict.fromkeys(found) if hold.resource.key.rstrip("/") in keys and hold.deadline > now]

    def lost(self, client: str) -> list[Lost]:
        """What a client has lost and may not know of."""
        return self.table.lost(client)

    def cancel(self, tickets: Iterable[int], now: float) -> None:
        """End waits."""
        for ticket in tickets:
            self._take(self.table.cancel(ticket, now), now)

    def gone(self, client: str, now: float) -> None:
        """A client is dead."""
        self._take(self.table.gone(client, now), now)

    def done(self, tokens: Iterable[int], now: float) -> None:
        """These locks are for nothing any more."""
        self.wake(now)
        held = self.table.holds.by_token
        self._take(self.table.done([held[token] for token in tokens if token in held], now), now)

    # -- time -----------------------------------------------------------------------------------------------

    def next_look(self, now: float) -> float | None:
        """When to look next."""
        if self._done:
            return now
        again = None if self.trouble is None else self._again
        reserve = None if self._journal.has_room(self.table.last_token) else self._reserve_due
        return min((due for due in (self._due, again, reserve) if due is not None), default=None)

    def wake(self, now: float) -> None:
        """The loop goes on. Where it stood still for long, what nobody could renew lasts longer by that."""
        if self._due is not None and now > self._due:
            for hold in self.table.put_off(now - self._due):
                self._journal.put(hold)
        self._due = None

    def look(self, now: float) -> None:
        """What time brings on; the next look is soon enough to see that half of a lock's time went by unheard."""
        self.wake(now)
        if self._reserve_due is not None and now >= self._reserve_due:
            self._reserve_due = None
            with suppress(GitSessionError):  # the first lock says it
                self._journal.reserve(self.table.last_token)
        table = self.table
        if now >= table.until:
            self._take(table.expire(now), now)
        if len(table.holds) or len(table.waits):
            self._due = min(table.until, now + max(table.holds.shortest / 4, SHORTEST_LOOK_S))

    # -- writing down ---------------------------------------------------------------------------------------

    def mend(self) -> tuple[list[str], bool]:
        """What is wrong on the disk, when all that was done is written; whether all is written down anew for it."""
        wrong = self._journal.faults(self.table.holds.by_token)
        try:
            if wrong:
                self._journal.write_anew(self.table.holds, self.table.last_token)
        except GitSessionError as error:
            self.trouble, self._again = error, time.monotonic() + AGAIN_S
            return wrong, False
        return wrong, bool(wrong)

    def faults(self, is_known: Callable[[str], bool], now: float) -> list[str]:
        """What cannot be in the table."""
        return list(table_faults(self.table, is_known, now))

    def _take(self, done: list[Effect], now: float) -> None:
        """Have what was done written with the next commit."""
        for one in done:
            if isinstance(one, Acquired | Denied) and one.asked.request is not None:
                self._requests.pop((one.asked.holder.client, one.asked.request), None)
            if isinstance(one, Acquired):
                for hold in one.replaced:
                    self._journal.drop(hold)
                for hold in one.holds:
                    self._journal.put(hold)
            elif isinstance(one, Released):
                self._journal.drop(one.hold)
        self._done += done

    def commit(self, now: float) -> Sequence[Effect | Failed]:
        """Write all down, and what may be told now."""
        done, self._done = self._done, []
        error = self._written(now, at_once=bool(done) and not self._goes_on())
        if error is None or self._goes_on():
            return done
        return self._undone(done, error, now)

    def _goes_on(self) -> bool:
        """Whether grants count that are in memory only."""
        return self._lives_on and self._journal.may_give(self.table.last_token)

    def _written(self, now: float, *, at_once: bool) -> GitSessionError | None:
        """Try to write all down; why that cannot be. What could not be is written with the first try that can.

        After a failure it is tried only now and then, unless somebody would be refused for it: ``at_once``.
        """
        if self.trouble is not None and now < self._again and not at_once:
            return self.trouble
        began = time.monotonic()
        try:
            self._journal.commit(self.table.last_token)
            self.trouble = None
        except GitSessionError as error:
            self.trouble = error
            self._again = now + max(AGAIN_S, AGAIN_TIMES * (time.monotonic() - began))
        return self.trouble

    def _undone(self, done: list[Effect], error: GitSessionError, now: float) -> list[Effect | Failed]:
        """Grants taken back; whoever is let in by that is told the same with the next commit."""
        granted = [one for one in done if isinstance(one, Acquired) and one.fresh]
        again, after = self.table.undo(granted, now)
        fresh = {hold.token: hold for one in granted for hold in one.fresh}
        for hold in fresh.values():
            self._journal.drop(hold)
        for hold in again:
            self._journal.put(hold)
        self._take(after, now)
        told = [one for one in done if not (isinstance(one, Released) and one.hold.token in fresh)]
        return [
            Failed(one.ticket, one.asked, error) if isinstance(one, Acquired) and one.fresh else one for one in told
        ]

    def close(self) -> None:
        """Close the journal: what is held is held on."""
        self._journal.close(self.table.last_token)
