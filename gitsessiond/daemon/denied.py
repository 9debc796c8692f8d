"""Locks asked for in vain, counted by asker, holder and resource until the recorder is told of them.

However many there are in a second, the recorder hears of each pair a few times, and of how often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 100  # of one request; more pairs wait for the next
KEPT = 1000  # beyond, pairs are only told as events
COUNTED = frozenset({"held", "timeout", "deadlock", "upgrade_conflict"})

Message = dict[str, Any]
Key = tuple[str, str, str]


class Denied:
    """What the recorder has not heard yet; ``fresh``: pairs that it does not know are among it."""

    def __init__(self) -> None:
        self._rows: dict[Key, Message] = {}
        self._told: set[Key] = set()
        self.fresh = False

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, event: Mapping[str, Any]) -> None:
        """Count an event ``lock_denied``."""
        holder = event.get("held_by")
        if not isinstance(holder, Mapping) or event.get("reason") not in COUNTED:
            return
        key = (str(event["client"]), str(holder["client"]), str(event["resource"]))
        row = self._rows.get(key)
        if row is not None:
            row["times"] += 1
        elif len(self._rows) < KEPT:
            asker = {name: event.get(name) for name in ("client", "named", "who", "branch", "session")}
            self._rows[key] = {
                "asker": asker, "holder": dict(holder), "name": key[2], "token": holder["token"], "times": 1,
            }  # fmt: skip
            self.fresh = self.fresh or key not in self._told

    def take(self) -> list[Message]:
        """What the recorder is told now."""
        taken = list(self._rows)[:MOST]
        if len(self._told) > KEPT:
            self._told.clear()
        self._told.update(taken)
        found = [self._rows.pop(key) for key in taken]
        self.fresh = any(key not in self._told for key in self._rows)
        return found
