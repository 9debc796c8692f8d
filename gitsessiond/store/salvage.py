"""What can still be read of a damaged journal."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.store.journal import FORMAT, Journal
from gitsessiond.store.layout import set_aside
from gitsessiond.store.objects import oid_of, read_entry
from gitsessiond.store.refs import RefMove

_SIDECARS = ("-wal", "-shm")


def salvage_journal(path: str) -> str | None:
    """If the journal is damaged, set it aside and begin another with all that is sound in it.

    Every object that is what its id says is kept, and for each ref the last move to one of these (a move to
    something that is lost would hide what is there).

    Returns:
        Where the damaged one is now; None: it was sound, of a newer format, or there was none.
    """
    if not os.path.exists(path) or _is_sound(path):
        return None
    aside = set_aside(path)
    for suffix in _SIDECARS:
        if os.path.exists(path + suffix):
            os.rename(path + suffix, aside + suffix)
    rows = _rows(aside, "SELECT lower(hex(oid)), entry FROM objects")
    objects = {oid: entry for oid, entry in rows if _is(oid, entry)}
    moves = dict(_rows(aside, "SELECT n, name, new FROM moves"))
    last = {name: new for _, (name, new) in sorted(moves.items()) if new in objects}
    fresh = Journal(path)
    fresh.append(objects, [RefMove(name, None, new) for name, new in last.items()])
    fresh.close()
    return aside


def _is_sound(path: str) -> bool:
    """Whether SQLite finds nothing wrong. A journal of a newer format is not ours to touch: it counts as sound."""
    try:
        db = sqlite3.connect(path)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] > FORMAT:
                return True
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
        finally:
            db.close()
    except sqlite3.Error:
        return False


def _rows(path: str, query: str) -> Iterator[tuple[Any, Any]]:
    """First column and the rest of each row: forward until the damage, then backward until the damage."""
    for order in ("ASC", "DESC"):
        try:
            db = sqlite3.connect(path)
        except sqlite3.Error:
            return
        try:
            for first, *rest in db.execute(f"{query} ORDER BY n {order}"):
                yield first, rest[0] if len(rest) == 1 else tuple(rest)
        except sqlite3.Error:
            continue  # from the other end, as far as that goes
        else:
            return
        finally:
            db.close()


def _is(oid: str, entry: object) -> bool:
    if not isinstance(entry, bytes):
        return False
    try:
        return oid_of(*read_entry(entry, oid)) == oid
    except StateUnreadable:
        return False
