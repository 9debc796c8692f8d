"""The locks on disk: a journal of lines, and the fence beside it (docs/format.md, "Locks").

What is written before a reply survives the death of the daemon, and need not survive the machine's: with that all
holders are dead. So nothing of the journal is synced, which keeps a disk that is busy with something else from
stopping everybody who wants a lock; and what was written in another run of the machine is thrown away unread. Only the
fence has to outlive everything: no token is ever given twice, so the bound below which they are given is synced before
the first of them is told. So are breaks of others' locks, which somebody may want to look up.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from gitsessiond.model.errors import GitSessionError, NewerState, StateUnreadable, disk_refused
from gitsessiond.model.hints import aside_words
from gitsessiond.model.locks import Hold
from gitsessiond.store.layout import write_durably
from gitsessiond.store.locklog import DRAFT, JOURNAL, Damaged, LockLog, LockReader, open_file
from gitsessiond.store.lockrows import hold_of, row_of
from gitsessiond.store.processes import boot_id

FENCE, BREAKS = "locks.fence", "locks.broken"
FORMAT = 1
BLOCK = 65_536  # tokens
HIGHEST = 1 << 62  # a bound above is none of ours: nobody has asked for so many locks


class LockJournal:
    """The locks of one repository as they are to be found by the next daemon. Made by the first that is written.

    ``highest``: no token above it was ever given.
    """

    def __init__(self, state_dir: str) -> None:
        """Raises:
        NewerState: written by a newer version.
        """
        self._directory, self._path = state_dir, os.path.join(state_dir, JOURNAL)
        self._boot = boot_id()
        self._log = LockLog(self._path)
        self._puts: dict[int, Hold] = {}
        self._drops: list[int] = []
        self._anew = False  # what is on the disk is something else
        told = self._read_fence()
        self.highest = self._bound = int(told.get("bound", 0))
        self._fenced = told.get("boot") == self._boot  # else the next daemon throws the journal away
        self._next_try = 0  # the token at which to set the next block apart, if the disk refused that
        if not self._fenced:
            self._remove()
        elif os.path.lexists(self._path):
            self._take_up()

    # -- what was -------------------------------------------------------------------------------------------

    def _read_fence(self) -> dict[str, Any]:
        """Which run of the machine the journal is of, and the bound of tokens.

        Raises:
            NewerState: written by a newer version.
            StateUnreadable: it is no file.
            StoreFailed: it cannot be read.
        """
        try:
            with open_file(os.path.join(self._directory, FENCE)) as file:
                told = json.loads(file.read(4096))
            if told["format"] > FORMAT:
                raise NewerState(
                    f"{FENCE} has format {told['format']}; this gitsessiond knows {FORMAT}",
                    hint="install a newer gitsessiond",
                )
            if type(told["bound"]) is int and 0 <= told["bound"] <= HIGHEST:
                return {"bound": told["bound"], "boot": str(told["boot"])}
        except FileNotFoundError:
            if not os.path.exists(self._path):
                return {}
        except OSError as exc:  # it may be a good one: all that is held would be thrown away
            raise disk_refused("the fence of locks cannot be read", exc) from exc
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        return {"bound": int(time.time()) * BLOCK}  # more than can have been given since clocks count

    def _remove(self) -> None:
        """Throw away the locks of another run of the machine, or such as cannot be read.

        Raises:
            StateUnreadable: something is in the way that is no file, or may not be removed.
        """
        self._log.close()
        self._log.rows = {}
        for path in (self._path, self._path + DRAFT):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as exc:
                raise StateUnreadable(f"{path} cannot be removed: {exc.strerror}", hint=aside_words(path)) from exc

    def _take_up(self) -> None:
        """Read what is there; a journal that is damaged is thrown away, and all its locks are lost.

        Raises:
            NewerState: written by a newer version.
            StateUnreadable: it is no file.
            StoreFailed: it cannot be read.
        """
        try:
            found = LockReader(self._path).read()
        except Damaged:
            self._remove()
        else:
            self._log.rows = {token: json.dumps(row) for token, row in found.items()}

    def read(self, *, fold: bool = False) -> list[Hold]:
        """The locks as they were written, none of them confirmed; rows that are none are forgotten.

        ``fold``: as of :func:`resource`.
        """
        rows = self._log.rows
        found = {token: hold_of(json.loads(rows[token]), fold) for token in sorted(rows) if 0 < token <= self.highest}
        self._log.rows = {token: rows[token] for token, hold in found.items() if hold}
        return [hold for hold in found.values() if hold]

    # -- what is --------------------------------------------------------------------------------------------

    def put(self, hold: Hold) -> None:
        """Write a lock with the next commit, or what changed of it."""
        self._puts[hold.token] = hold

    def drop(self, hold: Hold) -> None:
        """A lock is no more."""
        self._puts.pop(hold.token, None)
        self._drops.append(hold.token)

    def commit(self, last_token: int) -> None:
        """Write all that was put and dropped since the last time, whole or not at all.

        Raises:
            StoreFailed: the disk refused; nothing was written, and the next commit writes it again.
        """
        if not (self._puts or self._drops or self._anew):
            return
        if not self.has_room(last_token) and last_token >= self._next_try:
            self._next_try = last_token + BLOCK // 64
            with suppress(GitSessionError):
                self.reserve(last_token)
        if not self.may_give(last_token):
            self.reserve(last_token)
        self._write()
        self._puts, self._drops, self._anew = {}, [], False

    def _write(self) -> None:
        """Write what waits for it, all or nothing.

        Raises:
            StoreFailed: the disk refused.
        """
        self._log.write(self._drops, {token: row_of(hold) for token, hold in self._puts.items()})

    def has_room(self, last_token: int) -> bool:
        """Whether tokens will last for a while, should the disk refuse."""
        return self._fenced and last_token + BLOCK // 2 <= self._bound

    def may_give(self, last_token: int) -> bool:
        """Whether no token up to this one can be given again, by whatever daemon."""
        return self._fenced and last_token <= self._bound

    def reserve(self, last_token: int) -> None:
        """See to it that tokens will last for a while.

        Raises:
            StoreFailed: the disk refused.
        """
        if not self.has_room(last_token):
            self._fence(max(last_token + BLOCK, self._bound))

    def _fence(self, bound: int) -> None:
        """Set a block of tokens apart, durably.

        Raises:
            StoreFailed: the disk refused.
        """
        told = {"format": FORMAT, "boot": self._boot, "bound": bound}
        try:
            write_durably(os.path.join(self._directory, FENCE), json.dumps(told).encode() + b"\n")
        except OSError as exc:
            raise disk_refused("the fence of locks cannot be written", exc) from exc
        self._bound, self._fenced, self._next_try = bound, True, 0

    def broke(self, told: dict[str, Any]) -> None:
        """Note that somebody took another's lock, durably.

        Raises:
            StoreFailed: the disk refused.
        """
        try:
            with open(os.path.join(self._directory, BREAKS), "a", encoding="utf-8") as file:
                file.write(json.dumps(told) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise disk_refused("what was broken cannot be noted", exc) from exc

    def faults(self, tokens: Collection[int]) -> list[str]:
        """What is wrong with the journal; ``tokens``: of the locks that should be in it."""
        if self._log.is_lost():
            return [f"{self._path} was gone"]
        try:
            kept = LockReader(self._path).read()
        except GitSessionError as exc:
            return [f"{self._path}: {exc.message}"]
        lost, left = len(set(tokens) - kept.keys()), len(kept.keys() - set(tokens))
        wrong = [f"locks that are not written down: {lost}"] if lost else []
        return wrong + ([f"locks that are written down and nobody holds: {left}"] if left else [])

    def write_anew(self, holds: Iterable[Hold], last_token: int) -> None:
        """Write all locks into a new journal, which takes the place of the old one.

        Raises:
            StoreFailed: the disk refused; what was there still is, and the next commit tries it again.
        """
        self._log.close()
        self._log.rows = {}
        self._puts, self._drops, self._anew = {hold.token: hold for hold in holds}, [], True
        self.commit(last_token)

    def close(self, last_token: int) -> None:
        """Close; the next daemon goes on after the last token."""
        try:
            self.commit(last_token)
            if self._fenced and self._bound > last_token:
                self._fence(last_token)
        except GitSessionError:
            pass  # the bound that is there is a good one too
        self._log.close()


def read_breaks(state_dir: str) -> Iterable[dict[str, Any]]:
    """Who took whose lock, the oldest first; a line that was cut is left out."""
    try:
        with open(os.path.join(state_dir, BREAKS), encoding="utf-8") as file:
            lines = file.readlines()
    except OSError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
