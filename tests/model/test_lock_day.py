"""Clients come and go: what is known of them and of their locks does not grow."""

from __future__ import annotations

import pickle

from gitsessiond.model.clients import Clients
from gitsessiond.model.locktable import LockTable
from tests.model.lock_day import Day


def test_nothing_is_left_behind() -> None:
    """A hundred clients at a time, many of whom just fall silent; at the end nobody has or waits for anything.

    Half an hour; tests/store/test_lock_day.py has the whole day.
    """
    day = Day(seed=1)
    day.run(hours=0.5)
    assert day.counts["grants"] > 1000
    assert max(day.sizes) < 200_000, day.sizes  # a thousand clients are remembered at most
    assert day.end() == []
    assert not day.table.waits
    assert len(day.clients) == 0
    empty = len(pickle.dumps((LockTable(day.table.last_token), Clients())))
    assert day.size() < empty + 500
