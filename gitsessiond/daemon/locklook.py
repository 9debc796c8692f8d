"""How the locks are: for ``daemon.status``, ``metrics`` and ``doctor``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitsessiond.actions.locking import Locking
from gitsessiond.daemon.beside import Looked
from gitsessiond.model.health import Finding
from gitsessiond.model.rates import gauge


def looked(locking: Locking, is_known: Callable[[str], bool], now: float, deep: bool) -> Looked:
    """How many are held and waited for, and whether they are written down; ``deep``: and what cannot be."""
    held, waiting, trouble = len(locking.table.holds), len(locking.table.waits), locking.trouble
    degraded = int(trouble is not None)
    counts: dict[str, Any] = {"held": held, "waiting": waiting}
    if trouble is not None:
        counts["degraded"] = trouble.message
    families = [
        gauge("locks_held", "Locks that are held, marks of intent too.", held),
        gauge("locks_waiting", "Requests that wait for locks.", waiting),
        gauge("locks_degraded", "1 while locks are in memory only, since the disk refuses them.", degraded),
    ]
    return Looked(
        {"locks": counts}, families, [judged(locking, is_known, now, deep, f"{held} held, {waiting} waiting")]
    )


def judged(locking: Locking, is_known: Callable[[str], bool], now: float, deep: bool, words: str) -> Finding:
    """What doctor says."""
    if locking.trouble is not None:
        words = f"{words}, in memory only and lost with the daemon: {locking.trouble.message}"
        return Finding("lock table", "warn", words, locking.trouble.hint)
    if not deep:
        return Finding("lock table", "ok", words)
    wrong = locking.faults(is_known, now)
    on_disk, mended = locking.mend()
    if wrong or (on_disk and not mended):
        hint = "git session daemon stop" if locking.trouble is None else locking.trouble.hint
        return Finding("lock table", "fail", "; ".join([*wrong, *on_disk][:3]), hint)
    if mended:
        words = f"{'; '.join(on_disk[:3])}; all locks have been written down again"
        return Finding("lock table", "warn", words, "git session doctor")
    return Finding("lock table", "ok", words)
