"""Hearing of the end of processes: one pidfd for each process, however many files an editor has."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from gitsessiond.store.editors import handle_of

Who = TypeVar("Who")


class Exits(Generic[Who]):
    """``tell`` is called with everybody who waits for the end of a process, once it has come."""

    def __init__(self, select: selectors.BaseSelector, tell: Callable[[Who], None]) -> None:
        self._select, self._tell = select, tell
        self._handles: dict[int, int] = {}
        self._waiting: dict[int, list[Who]] = {}

    def wait(self, pid: int, who: Who) -> bool:
        """Have somebody told of the end of a process; False: it cannot be heard of, or has come."""
        if pid not in self._handles:
            handle = handle_of(pid)
            if handle is None:
                return False
            self._handles[pid], self._waiting[pid] = handle, []
            self._select.register(handle, selectors.EVENT_READ, partial(self._ended, pid))
        self._waiting[pid].append(who)
        return True

    def leave(self, pid: int, who: Who) -> None:
        """Somebody waits no more."""
        left = [one for one in self._waiting.get(pid, ()) if one is not who]
        if left:
            self._waiting[pid] = left
        else:
            self._close(pid)

    def _close(self, pid: int) -> list[Who]:
        """Give a descriptor back; returns who waited."""
        handle = self._handles.pop(pid, None)
        if handle is not None:
            self._select.unregister(handle)
            os.close(handle)
        return self._waiting.pop(pid, [])

    def _ended(self, pid: int, mask: int) -> None:
        for who in self._close(pid):
            self._tell(who)

    def close(self) -> None:
        """Give all descriptors back."""
        for pid in list(self._handles):
            self._close(pid)
