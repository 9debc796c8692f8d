"""The locks on disk: one SQLite database, and the fence beside it (docs/format.md, "Locks").

What is written before a reply survives the death of the daemon, and need not survive the machine's: with that all
holders are dead. So nothing of the database is synced, which keeps a disk that is busy with something else from
stopping everybody who wants a lock; and what was written in another run of the machine is thrown away unread. Only the
fence has to outlive everything: no token is ever given twice, so the bound below which they are given is synced before
the first of them is told. So are breaks of others' locks, which somebody may want to look up.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from gitsessiond.model.errors import GitSessionError, NewerState, StateUnreadable, disk_refused
from gitsessiond.model.hints import aside_words
from gitsessiond.model.locks import Hold
from gitsessiond.store.database import Damaged, Kind, errors, open_database, transaction
from gitsessiond.store.layout import write_durably
from gitsessiond.store.lockrows import hold_of, row_of
from gitsessiond.store.processes import boot_id

DATABASE, FENCE, BREAKS = "locks.sqlite", "locks.fence", "locks.broken"
FORMAT = 1
BLOCK = 65_536  # tokens
HIGHEST = 1 << 62  # a bound above is none of ours: SQLite's numbers end soon after
_SCHEMA = """
CREATE TABLE locks (
  token INTEGER PRIMARY KEY,
  name BLOB NOT NULL,        -- UTF-8, stray bytes as they are
  mode TEXT NOT NULL,        -- S, U, X, intent
  holder BLOB NOT NULL,      -- JSON: client, who, host, pid, branch, session, agent, named, began
  ttl REAL NOT NULL,
  deadline REAL NOT NULL,    -- of the clock that stands still while the machine sleeps (CLOCK_MONOTONIC)
  since REAL NOT NULL,
  reason BLOB
);
"""
KIND = Kind("the journal of locks", FORMAT, 0x47534C31, _SCHEMA)  # "GSL1"
PUT = "INSERT OR REPLACE INTO locks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
DROP = "DELETE FROM locks WHERE token = ?"


class LockJournal:
    """The locks of one repository as they are to be found by the next daemon. Made by the first that is written.

    ``highest``: no token above it was ever given.
    """

    def __init__(self, state_dir: str) -> None:
        """Raises:
        NewerState: written by a newer version.
        """
        self._directory, self._path = state_dir, os.path.join(state_dir, DATABASE)
        self._boot = boot_id()
        self._db: sqlite3.Connection | None = None
        self._puts: dict[int, Hold] = {}
        self._drops: list[int] = []
        told = self._read_fence()
        self.highest = self._bound = int(told.get("bound", 0))
        self._fenced = told.get("boot") == self._boot  # else the next daemon throws the database away
        self._next_try = 0  # the token at which to set the next block apart, if the disk refused that
        if not self._fenced:
            self._remove()
        elif os.path.lexists(self._path):
            self._take_up()

    # -- what was -------------------------------------------------------------------------------------------

    def _read_fence(self) -> dict[str, Any]:
        """Which run of the machine the database is of, and the bound of tokens.

        Raises:
            NewerState: written by a newer version.
        """
        try:
            with open(os.path.join(self._directory, FENCE), "rb") as file:
                told = json.loads(file.read(4096))
            if told["format"] > FORMAT:
                raise NewerState(
                    f"{FENCE} has format {told['format']}; this gitsessiond knows {FORMAT}",
                    hint="install a newer gitsessiond",
                )
            if 0 <= int(told["bound"]) <= HIGHEST:
                return {"bound": int(told["bound"]), "boot": str(told["boot"])}
        except FileNotFoundError:
            if not os.path.exists(self._path):
                return {}
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            pass
        return {"bound": int(time.time()) * BLOCK}  # more than can have been given since clocks count

    def _remove(self) -> None:
        """Throw away the locks of another run of the machine, or such as cannot be read.

        Raises:
            StateUnreadable: something is in the way that is no file, or may not be removed.
        """
        if self._db is not None:
            self._db.close()
            self._db = None
        for ending in ("", "-wal", "-shm"):
            path = self._path + ending
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError as exc:
                raise StateUnreadable(f"{path} cannot be removed: {exc.strerror}", hint=aside_words(path)) from exc

    def _take_up(self) -> None:
        """Open what is there; a database that is damaged is thrown away, and all its locks are lost.

        Raises:
            NewerState: written by a newer version.
            StateUnreadable: it is no file.
        """
        if not os.path.isfile(self._path):
            raise StateUnreadable(f"{self._path} is no file", hint=aside_words(self._path))
        try:
            self._db = self._open()
        except Damaged:
            self._remove()

    def _open(self) -> sqlite3.Connection:
        """Synced only where runs of the machine cannot be told apart."""
        return open_database(self._path, KIND, (f"synchronous={'OFF' if self._boot else 'NORMAL'}",))

    def read(self, *, fold: bool = False) -> list[Hold]:
        """The locks as they were written, none of them confirmed; none where the database turns out to be damaged.

        ``fold``: as of :func:`resource`.
        """
        if self._db is None:
            return []
        try:
            with errors(KIND, "read"):
                rows = self._db.execute("SELECT * FROM locks ORDER BY token").fetchall()
        except Damaged:
            self._remove()
            return []
        return [hold for row in rows if (hold := hold_of(row, fold))]

    # -- what is --------------------------------------------------------------------------------------------

    def put(self, hold: Hold) -> None:
        """Write a lock with the next commit, or what changed of it."""
        self._puts[hold.token] = hold

    def drop(self, hold: Hold) -> None:
        """A lock is no more."""
        self._puts.pop(hold.token, None)
        self._drops.append(hold.token)

    def commit(self, last_token: int) -> None:
        """Write all that was put and dropped since the last time, in one transaction.

        Raises:
            StoreFailed: the disk refused; nothing was written, and the next commit writes it again.
        """
        if not (self._puts or self._drops):
            return
        if not self.has_room(last_token) and last_token >= self._next_try:
            self._next_try = last_token + BLOCK // 64
            with suppress(GitSessionError):
                self.reserve(last_token)
        if not self.may_give(last_token):
            self.reserve(last_token)
        self._db = self._db or self._open()
        with errors(KIND, "written"):
            if len(self._puts) + len(self._drops) == 1:
                self._write(self._db)  # one statement is a transaction, and at most times there is no more to write
            else:
                with transaction(self._db):
                    self._write(self._db)
        self._puts, self._drops = {}, []

    def _write(self, db: sqlite3.Connection) -> None:
        """The statements of one commit; of so few each by itself is sooner done than all at once."""
        for token in self._drops:
            db.execute(DROP, (token,))
        for hold in self._puts.values():
            db.execute(PUT, row_of(hold))

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
        """What is wrong with the database; ``tokens``: of the locks that should be in it."""
        if self._db is None:
            return []
        if self.is_lost():
            return [f"{self._path} was gone"]
        try:
            said = [str(row[0]) for row in self._db.execute("PRAGMA quick_check(3)")]
            kept = {row[0] for row in self._db.execute("SELECT token FROM locks")}
        except sqlite3.Error as exc:
            return [f"{self._path}: {exc}"]
        wrong = [f"{self._path}: {words}" for words in said if words != "ok"]
        lost, left = len(set(tokens) - kept), len(kept - set(tokens))
        wrong += [f"locks that are not written down: {lost}"] if lost else []
        return wrong + ([f"locks that are written down and nobody holds: {left}"] if left else [])

    def is_lost(self) -> bool:
        """Whether somebody has removed the database."""
        return self._db is not None and not os.path.lexists(self._path)

    def write_anew(self, holds: Iterable[Hold], last_token: int) -> None:
        """Write all locks into a new database.

        Raises:
            StateUnreadable: what is left of the old one is in the way.
            StoreFailed: the disk refused.
        """
        self._remove()
        self._puts, self._drops = {hold.token: hold for hold in holds}, []
        self.commit(last_token)

    def close(self, last_token: int) -> None:
        """Close; the next daemon goes on after the last token."""
        try:
            self.commit(last_token)
            if self._fenced and self._bound > last_token:
                self._fence(last_token)
        except GitSessionError:
            pass  # the bound that is there is a good one too
        if self._db is not None:
            self._db.close()
            self._db = None


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
