"""What cannot be, were the table of locks right: for ``doctor``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gitsessiond.model.lockmodes import WRITE
from gitsessiond.model.locks import Want
from gitsessiond.model.locktable import LockTable

LATE_S = 5.0
MOST = 2000  # locks that are compared with all others


def table_faults(table: LockTable, is_known: Callable[[str], bool], now: float) -> Iterator[str]:
    """Locks that keep each other out, that are over, whose client nobody knows, with tokens nobody gave.

    Whoever has not been heard of since this table was read from the disk need not be known yet.
    """
    for number, hold in enumerate(table.holds):
        name = f"lock {hold.token} on {hold.resource.name}"
        if hold.token > table.last_token:
            yield f"{name} has a token above the last one given, {table.last_token}"
        if hold.deadline < now - LATE_S:
            yield f"{name} should have ended {now - hold.deadline:.0f} s ago"
        if hold.confirmed and not is_known(hold.client):
            yield f"{name} is of a client that is not there: {hold.client}"
        if number < MOST and hold.mode == WRITE:
            for other in table.holds.against(hold.client, [Want(hold.resource, hold.mode)]):
                yield f"{name} is beside lock {other.token} on {other.resource.name}"
