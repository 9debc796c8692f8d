"""Counts of what goes through front: events, locks asked for and refused, conflicts."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from gitsessiond.model.rates import Family, Rate, counter, counters, gauge, gauges, shares

Message = Mapping[str, Any]
HOUR_S = 3600.0
MOST_NAMES = 1000  # the last refusals whose locks are kept in mind
HEARD = frozenset({"lock_denied", "conflict_detected", "conflict_resolved", "recorder_restarted"})


class Tally:
    """From the start of this daemon; rates are of the last minutes. ``clock``: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.events, self.locks_asked, self.locks_denied = Rate(), Rate(), Rate()
        self.conflicts: dict[str, Rate] = {}  # by kind
        self.resolved = {"auto": Rate(), "manual": Rate()}
        self.recorder_deaths = 0
        self._kept_out: deque[tuple[float, str]] = deque(maxlen=MOST_NAMES)  # when, and by which lock

    def hear(self, event: Message) -> None:
        """One event more."""
        now = self._clock()
        self.events.add(now)
        match event["type"] if event.get("type") in HEARD else None:
            case "lock_denied":
                self.locks_denied.add(now)
                if event.get("held_by"):
                    self._kept_out.append((now, str(event["held_by"]["name"])))
            case "conflict_detected":
                self.conflicts.setdefault(str(event.get("kind")), Rate()).add(now)
            case "conflict_resolved":
                self.resolved["auto" if event.get("automatic") else "manual"].add(now)
            case "recorder_restarted":
                self.recorder_deaths += 1

    def asked_for(self, verb: str, args: Message) -> None:
        """A request that front answers beside the recorder: how many locks it asks for."""
        wanted = args.get("resources")
        if verb == "lock.acquire" and isinstance(wanted, list):
            self.locks_asked.add(self._clock(), len(wanted))

    def event_rates(self) -> dict[str, float]:
        """Events a second, by window."""
        return self.events.per_second(self._clock())

    def contention(self) -> dict[str, float]:
        """The share of locks asked for that were refused, by window."""
        return shares(self.locks_denied, self.locks_asked, self._clock())

    def contended(self) -> tuple[str, int]:
        """The name of the lock that kept others out most often within the hour, and how often; "" where none did."""
        since = self._clock() - HOUR_S
        most = Counter(name for when, name in self._kept_out if when > since).most_common(1)
        return most[0] if most else ("", 0)

    def resolution(self) -> dict[str, float]:
        """The share of the conflicts found that are settled, by how."""
        found = sum(rate.total for rate in self.conflicts.values())
        return {how: round(rate.total / found, 4) if found else 0.0 for how, rate in self.resolved.items()}

    def families(self) -> list[Family]:
        """As figures."""
        now = self._clock()
        kinds = {kind: float(rate.total) for kind, rate in self.conflicts.items()}
        lately = {kind: float(rate.within(now, HOUR_S)) for kind, rate in self.conflicts.items()}
        settled = {how: float(rate.total) for how, rate in self.resolved.items()}
        success = self.resolution()
        return [
            gauges("events_per_second", "Events a second, the mean of a window.", "window", self.event_rates()),
            counter("lock_requests", "Locks asked for.", self.locks_asked.total),
            counter("lock_denied", "Locks asked for and refused.", self.locks_denied.total),
            gauges(
                "lock_contention_ratio", "Locks refused to locks asked for, in a window.", "window", self.contention()
            ),
            counters("conflicts_detected", "Conflicts found.", "kind", kinds),
            gauges("conflicts_last_hour", "Conflicts found in the last hour.", "kind", lately),
            counters("conflicts_resolved", "Conflicts settled, by git's rules or by a person.", "how", settled),
            gauges("conflict_resolution_ratio", "Conflicts settled to conflicts found.", "how", success),
            gauge("conflict_resolution_success_ratio", "The same, however they were settled.", sum(success.values())),
            counter("recorder_restarts", "Times the recorder died and was begun again.", self.recorder_deaths),
        ]
