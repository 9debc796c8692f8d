"""What ``doctor`` is given, and how it tells what it found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gitsessiond.store.store import HasDirs, Store


class Check(NamedTuple):
    """One thing that was looked at. ``fixed``: it was not right, and now is."""

    name: str
    ok: bool
    message: str
    fixed: bool = False


@dataclass(frozen=True)
class Patient:
    """What is looked at, and whether it may be repaired."""

    store: Store
    repository: HasDirs
    fix: bool
    now: datetime

    def verdict(self, name: str, wrong: list[str], right: str, *, fixed: bool | None = None) -> Check:
        """The check's outcome: ``right`` in words, or all that is ``wrong``."""
        if not wrong:
            return Check(name, True, right)
        done = self.fix if fixed is None else fixed
        return Check(name, done, "; ".join(wrong), done)
