"""The modes of a lock, and which of them keep each other out (docs/locks.md).

``S`` read, ``U`` will edit, ``X`` write; ``intent`` is a mark that never keeps anybody out. A lock covers what it names
and all below, so what it means for the nodes above it, and for those below, follows from the same table: two locks of
different clients clash where they cover a common path and their modes do.
"""

from __future__ import annotations

READ, UPDATE, WRITE, INTENT = "S", "U", "X", "intent"
MODES = (READ, UPDATE, WRITE, INTENT)
STRENGTH = {INTENT: 0, READ: 1, UPDATE: 2, WRITE: 3}

KEPT_OUT = {
    READ: frozenset({WRITE}),
    UPDATE: frozenset({UPDATE, WRITE}),
    WRITE: frozenset({READ, UPDATE, WRITE}),
    INTENT: frozenset[str](),
}
"""The modes that another client cannot have beside a mode; the same read either way."""

BITS = 20  # of a count of locks; many more than a table holds
ONE = {mode: 1 << at * BITS for at, mode in enumerate(MODES)}
"""Locks are counted for each mode in one number: what one of a mode adds to it."""

ALL = (1 << BITS) - 1
CLASHING = {mode: sum(ALL * ONE[other] for other in KEPT_OUT[mode]) for mode in MODES}
"""The digits of that number which count modes that clash with a mode: zero there, and nobody is in the way."""
ANY = sum(ALL * one for one in ONE.values())


def is_enough(held: str | None, wanted: str) -> bool:
    """Whether who has a mode (None: nothing) needs no more for what is wanted."""
    return held is not None and STRENGTH[held] >= STRENGTH[wanted]
