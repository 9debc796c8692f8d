"""A day's locks on disk: the journal is as small in the evening as in the morning, and each daemon finds what was held."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gitsessiond.model.locks import Acquired, Effect, Hold
from gitsessiond.store.lockjournal import LockJournal
from tests.model.lock_day import Day

Held = list[tuple[int, str, str, str]]


class Written:
    """The journal of a day: each effect is in it before the next thing happens."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.day = directory, Day(seed=2, told=self.write)
        self.journal = LockJournal(str(directory))
        self.sizes: list[int] = []

    def write(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Acquired):
                for hold in effect.replaced:
                    self.journal.drop(hold)
                for hold in effect.holds:
                    self.journal.put(hold)
            elif hasattr(effect, "hold"):
                self.journal.drop(effect.hold)
        self.journal.commit(self.day.table.last_token)

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.directory.iterdir())

    def next_daemon(self) -> None:
        """The one before is killed: nothing is put away."""
        self.sizes.append(self.size())
        before, last = told(list(self.day.table.holds)), self.day.table.last_token
        self.journal = LockJournal(str(self.directory))
        assert told(self.journal.read()) == before
        assert self.journal.highest >= last


def told(holds: Sequence[Hold]) -> Held:
    return sorted((hold.token, hold.client, hold.resource.name, hold.mode) for hold in holds)


@pytest.mark.parametrize("hours", [0.25, pytest.param(24, marks=pytest.mark.soak)])
def test_the_journal_of_a_day_stays_small(tmp_path: Path, hours: float) -> None:
    """A hundred clients; the daemon dies four times; in the end nothing is held, here and on disk."""
    written = Written(tmp_path)
    for _ in range(4):
        written.day.run(hours / 4)
        written.next_daemon()
    assert max(written.sizes) < 6_000_000, written.sizes
    day = written.day
    assert max(day.sizes) < 200_000, day.sizes  # a thousand clients are remembered at most
    assert day.end() == []
    assert (len(day.table.waits), len(day.clients)) == (0, 0)
    written.journal.close(day.table.last_token)
    written.next_daemon()
    assert written.journal.read() == []
    counts = ", ".join(f"{count} {what}" for what, count in sorted(day.counts.items()))
    print(
        f"{hours} hours: {counts}; in memory {min(day.sizes)} to {max(day.sizes)}, on disk at most {max(written.sizes)} bytes"
    )
