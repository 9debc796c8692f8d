"""What a look at a worktree found, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.values import Entry


class Seen(NamedTuple):
    """One path that is not as it was recorded. Equal entries: only the disk's bytes differ."""

    path: bytes
    before: Entry | None
    after: Entry | None
    raw_before: str | None
    raw_after: str | None
    inode_before: int | None
    inode_after: int | None


class Reading(NamedTuple):
    """What was read. ``left``: paths that wait for the next reading."""

    changes: tuple[Seen, ...] = ()
    skipped: tuple[tuple[bytes, str], ...] = ()  # path, why; each told once
    guarded: Mapping[bytes, str] = {}  # new untracked paths -> large, binary or many
    prune: tuple[bytes, ...] = ()  # directories found that need no watch
    busy: tuple[bytes, ...] = ()  # being written: the next reading looks at them again
    left: int = 0


def joined(readings: Sequence[Reading]) -> Reading:
    """Readings of one look, which took several, as one."""
    return Reading(
        changes=tuple(seen for reading in readings for seen in reading.changes),
        skipped=tuple(skip for reading in readings for skip in reading.skipped),
        guarded={path: why for reading in readings for path, why in reading.guarded.items()},
        prune=readings[0].prune,
        busy=readings[-1].busy,
    )
