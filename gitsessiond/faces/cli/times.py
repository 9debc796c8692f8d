"""Times of replies (RFC 3339, UTC) as people read them, in the zone of the machine or a given one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any


def local_time(text: str, zone: tzinfo | None = None) -> datetime:
    """The moment in ``zone``, or in the machine's own."""
    return datetime.fromisoformat(text).astimezone(zone)


def stamp(text: str, zone: tzinfo | None = None) -> str:
    """``2026-01-02 18:02:33``."""
    return local_time(text, zone).strftime("%Y-%m-%d %H:%M:%S")


def gap_words(gap: Mapping[str, Any], zone: tzinfo | None = None) -> str:
    """``not recorded 2026-01-02 18:02-18:15; what was found at 18:15 is recorded``."""
    since, until = local_time(gap["since"], zone), local_time(gap["until"], zone)
    found = f"what was found at {until:%H:%M} is recorded"
    if since.date() == until.date():
        return f"not recorded {since:%Y-%m-%d %H:%M}-{until:%H:%M}; {found}"
    return f"not recorded {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}; {found}"
