"""Moments as events and replies of the daemon's front tell them; of records it is :func:`..records.time_text`."""

from __future__ import annotations

import time
from functools import lru_cache


def moment_text(wall: float) -> str:
    """RFC 3339 in UTC, to the millisecond. ``wall``: seconds since 1970."""
    return f"{_second_text(int(wall))}.{int(wall % 1 * 1000):03}Z"


def now_text() -> str:
    """The time it is."""
    return moment_text(time.time())


@lru_cache(maxsize=1)
def _second_text(second: int) -> str:
    """A second, made once for all that happens in it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
