"""How often something happened lately, and figures as they are told. Pure: time is passed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

WINDOWS = {"1m": 60.0, "5m": 300.0, "15m": 900.0}
GRAIN_S = 5.0
LONGEST_S = 3600.0

Labels = Mapping[str, str]


class Rate:
    """Counts over the last hour, in grains of five seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._grains: deque[list[float]] = deque()  # when a grain began, how many fell into it

    def add(self, now: float, count: int = 1) -> None:
        """So many more."""
        self.total += count
        if self._grains and now < self._grains[-1][0] + GRAIN_S:
            self._grains[-1][1] += count
            return
        self._grains.append([now // GRAIN_S * GRAIN_S, count])
        while self._grains and self._grains[0][0] + GRAIN_S <= now - LONGEST_S:
            self._grains.popleft()

    def within(self, now: float, seconds: float) -> int:
        """How many there were in the last so many seconds, to the grain."""
        found = 0
        for began, count in reversed(self._grains):
            if began + GRAIN_S <= now - seconds:
                break
            found += int(count)
        return found

    def per_second(self, now: float) -> dict[str, float]:
        """The mean of each window."""
        return {name: round(self.within(now, seconds) / seconds, 4) for name, seconds in WINDOWS.items()}


def shares(part: Rate, whole: Rate, now: float) -> dict[str, float]:
    """Which share of one thing the other is, in each window; 0 of nothing."""
    found = {}
    for name, seconds in WINDOWS.items():
        all_of_it = whole.within(now, seconds)
        found[name] = round(part.within(now, seconds) / all_of_it, 4) if all_of_it else 0.0
    return found


class Family(NamedTuple):
    """A figure by one name, as Prometheus has them: what it is, and a value for each set of labels."""

    name: str
    kind: str  # counter, gauge
    help: str
    samples: Sequence[tuple[Labels, float]]

    def as_dict(self) -> dict[str, Any]:
        """As it crosses the socket."""
        samples = [{"labels": dict(labels), "value": value} for labels, value in self.samples]
        return {"name": self.name, "type": self.kind, "help": self.help, "samples": samples}


def gauge(name: str, words: str, value: float | None) -> Family:
    """One value as it is now; none where nobody can tell."""
    return Family(f"gitsession_{name}", "gauge", words, [] if value is None else [({}, value)])


def gauges(name: str, words: str, label: str, values: Mapping[str, float | None]) -> Family:
    """Values as they are now, told apart by one label."""
    found = [({label: which}, value) for which, value in values.items() if value is not None]
    return Family(f"gitsession_{name}", "gauge", words, found)


def counter(name: str, words: str, value: float) -> Family:
    """One value that only grows, from the start of the daemon."""
    return Family(f"gitsession_{name}_total", "counter", words, [({}, value)])


def counters(name: str, words: str, label: str, values: Mapping[str, float]) -> Family:
    """Several such, told apart by one label."""
    return Family(
        f"gitsession_{name}_total", "counter", words, [({label: one}, value) for one, value in values.items()]
    )
