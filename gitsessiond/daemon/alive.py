"""The sign of life: by it the next start knows since when nothing was recorded."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from gitsessiond.daemon.log import log

FILE = "alive"
EVERY_S = 20.0


def utc_now() -> datetime:
    """The clock of the whole recorder."""
    return datetime.now(UTC)


class SignOfLife:
    """One file in the state directory, written again and again. ``gap_since``: the last one before this start."""

    def __init__(self, state_dir: str) -> None:
        self._path = os.path.join(state_dir, FILE)
        self._given_at = -2 * EVERY_S
        self.gap_since = last_sign(self._path)

    def give(self, *, now_at_once: bool = False) -> None:
        """Note that recording goes on, if that was not noted just now."""
        now = time.monotonic()
        if not now_at_once and now - self._given_at <= EVERY_S:
            return
        self._given_at = now
        try:
            with open(self._path, "w", encoding="ascii") as file:
                file.write(utc_now().isoformat() + "\n")
        except OSError as exc:  # the next start cannot tell since when nothing was recorded; no more than that
            log(f"no sign of life: {exc}")


def last_sign(path: str) -> datetime | None:
    """When recording was last known to go on; None: never, or just now."""
    try:
        with open(path, encoding="ascii") as file:
            seen = datetime.fromisoformat(file.read().strip())
    except (OSError, ValueError):
        return None
    if seen.tzinfo is None:
        return None
    return seen if (utc_now() - seen).total_seconds() > 2 * EVERY_S else None
