"""Hearing of the end of processes: one pidfd for each, however many clients live by it, or files an editor has."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from gitsessiond.daemon.log import log
from gitsessiond.store.processes import end_of

Who = TypeVar("Who")
One = tuple[int, str | None]  # a process: its number, and when it began, if that is told


class Exits(Generic[Who]):
    """``tell`` is called with everybody who waits for the end of a process, once it has come."""

    def __init__(self, select: selectors.BaseSelector, tell: Callable[[Who], None]) -> None:
        self._select, self._tell = select, tell
        self._handles: dict[One, int] = {}
        self._waiting: dict[One, list[Who]] = {}

    def wait(self, who: Who, pid: int, began: str | None = None) -> bool:
        """Have somebody told of the end of a process; False: it cannot be heard of, or has come."""
        one = (pid, began)
        if one not in self._handles:
            try:
                handle = end_of(pid, began)
            except OSError as exc:
                log(f"the end of process {pid} will not be heard of: {exc}")
                return False
            if handle is None:
                return False
            self._handles[one], self._waiting[one] = handle, []
            self._select.register(handle, selectors.EVENT_READ, partial(self._ended, one))
        self._waiting[one].append(who)
        return True

    def leave(self, who: Who, pid: int, began: str | None = None) -> None:
        """Somebody waits no more."""
        left = [other for other in self._waiting.get((pid, began), ()) if other != who]
        if left:
            self._waiting[pid, began] = left
        else:
            self._close((pid, began))

    def _close(self, one: One) -> list[Who]:
        """Give a descriptor back; returns who waited."""
        handle = self._handles.pop(one, None)
        if handle is not None:
            self._select.unregister(handle)
            os.close(handle)
        return self._waiting.pop(one, [])

    def _ended(self, one: One, mask: int) -> None:
        for who in self._close(one):
            self._tell(who)

    def close(self) -> None:
        """Give all descriptors back."""
        for one in list(self._handles):
            self._close(one)
