"""Requests that wait: their order, and the circles of those that wait for each other.

A request waits for whoever holds what it wants, and for those before it in the queue who want the same: a detector that
follows only the holders misses the circles that go through the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from gitsessiond.model.lockholds import NEVER, Holds
from gitsessiond.model.lockmodes import CLASHING, KEPT_OUT
from gitsessiond.model.locks import Claim, Hold, Wait, Want
from gitsessiond.model.locktree import LockTree
from gitsessiond.model.resources import Resource, overlap


class Queue:
    """All requests that wait, beside what is held."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._claims: LockTree[Claim] = LockTree()
        self._waits: dict[int, Wait] = {}
        self.until = NEVER  # none gives up before

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, wait: Wait) -> bool:
        return wait.ticket in self._waits

    def __iter__(self) -> Iterator[Wait]:
        return iter(list(self._waits.values()))

    def find(self, ticket: int) -> Wait | None:
        """The request with this number, if it waits."""
        return self._waits.get(ticket)

    def of(self, clients: Iterable[str]) -> list[Wait]:
        """What these clients wait for."""
        wanted = set(clients)
        return [wait for wait in self._waits.values() if wait.client in wanted]

    def put(self, wait: Wait) -> None:
        """Let a request wait."""
        self._waits[wait.ticket] = wait
        for claim in wait.claim():
            self._claims.add(claim)
        if wait.asked.until is not None:
            self.until = min(self.until, wait.asked.until)

    def take(self, wait: Wait) -> None:
        """Let a request wait no longer."""
        del self._waits[wait.ticket]
        for claim in wait.claims:
            self._claims.remove(claim)

    def over(self, now: float) -> list[Wait]:
        """Those that have waited long enough."""
        if now < self.until:
            return []
        ends = [(one.asked.until, one) for one in self._waits.values() if one.asked.until is not None]
        self.until = min((until for until, _ in ends if until > now), default=NEVER)
        return [wait for until, wait in ends if until <= now]

    def on(self, resources: Iterable[Resource]) -> list[Wait]:
        """Those that wait for a path of these resources, the first first."""
        if not self._waits:
            return []
        found = {claim.wait.order: claim.wait for one in resources for claim in self._claims.overlapping(one)}
        return [found[order] for order in sorted(found)]

    def is_blocked(self, wait: Wait) -> bool:
        """Whether anybody is in a request's way."""
        needs = self._holds.needs(wait.asked)
        for _ in self._holds.against(wait.client, needs):
            return True
        for _ in self._before(wait, needs) if self._waits else ():
            return True
        return False

    def in_the_way(self, wait: Wait) -> tuple[tuple[Hold, ...], int]:
        """The locks that keep a request out, and its place among those that wait for the same."""
        needs = self._holds.needs(wait.asked)
        first = {one.ticket for one in self._before(wait, needs)}
        return tuple(dict.fromkeys(self._holds.against(wait.client, needs))), len(first) + 1

    def _before(self, wait: Wait, needs: Iterable[Want]) -> Iterator[Wait]:
        """The requests of others that come first where both want the same; one may come twice."""
        for resource, mode in needs:
            for claim in self._claims.overlapping(resource, CLASHING[mode]):
                if claim.client != wait.client and claim.mode in KEPT_OUT[mode] and claim.wait.order < wait.order:
                    yield claim.wait

    def circle_of(self, wait: Wait) -> tuple[Wait, ...]:
        """The requests by way of which one waits for itself."""
        return circle(wait, self._waits_for) if self._is_waited_for(wait) else ()

    def _is_waited_for(self, wait: Wait) -> bool:
        """Whether anybody may wait for it: for what its client holds, or because it goes before others."""
        is_last = wait.ticket == next(reversed(self._waits), None) and not wait.upgrades
        return not is_last or any(
            claim.client != wait.client and claim.mode in KEPT_OUT[hold.mode]
            for hold in self._holds.of(wait.client)
            for claim in self._claims.overlapping(hold.resource, CLASHING[hold.mode])
        )

    def _waits_for(self, wait: Wait) -> Iterator[Wait]:
        """Those that a request waits for: what the holders themselves wait for, and those before it."""
        needs = self._holds.needs(wait.asked)
        yield from self.of(hold.client for hold in self._holds.against(wait.client, needs))
        yield from self._before(wait, needs)


Request = TypeVar("Request", bound=Hashable)


def circle(start: Request, waits_for: Callable[[Request], Iterable[Request]]) -> tuple[Request, ...]:
    """A way from a request back to itself, each waiting for the next; empty where there is none."""
    way: list[Request] = [start]
    open_ends: list[Iterator[Request]] = [iter(waits_for(start))]
    seen: set[Request] = set()
    while open_ends:
        after = next(open_ends[-1], None)
        if after is None:
            open_ends.pop()
            way.pop()
        elif after == start:
            return tuple(way)
        elif after not in seen:
            seen.add(after)
            way.append(after)
            open_ends.append(iter(waits_for(after)))
    return ()


def gives_way(asker: Wait, found: Sequence[Wait]) -> Wait:
    """Who of a circle is refused: whoever closed it, but for a person the agent that came last."""
    agents = [wait for wait in found if wait.asked.holder.agent]
    return asker if asker.asked.holder.agent or not agents else max(agents, key=lambda wait: wait.ticket)


def refusal(victim: Wait, found: Sequence[Wait]) -> str:
    """``upgrade_conflict`` where two that hold the same want more of it, else ``deadlock``."""
    rivals = [wait for wait in found if wait is not victim and wait.upgrades] if victim.upgrades else []
    mine = [claim.resource for claim in victim.claims]
    same = any(overlap(resource, claim.resource) for wait in rivals for claim in wait.claims for resource in mine)
    return "upgrade_conflict" if same else "deadlock"
