"""Lengths of time as a person writes them in git's configuration: ``90``, ``15m``, ``1h``, ``never``."""

from __future__ import annotations

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str) -> float:
    """The seconds of such a text; 0 for ``0`` and ``never``.

    Raises:
        ValueError: it is no length of time.
    """
    word = text.strip().lower()
    if word == "never":
        return 0.0
    unit = UNITS.get(word[-1:], 0.0)
    return max(0.0, float(word[:-1]) * unit if unit else float(word))


def time_words(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``15 min``, ``2 h``: as one says it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
