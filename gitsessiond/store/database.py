"""Databases of ours in one SQLite file: opened with their format looked at first, SQLite's errors told as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gitsessiond.model.errors import NewerState, StateUnreadable, StoreFailed, disk_refused
from gitsessiond.model.hints import aside_words


class Kind(NamedTuple):
    """What a database is for. ``application``: so that file(1) and SQLite's own tools can tell what it is."""

    name: str  # as in "the journal cannot be read"
    format: int
    application: int
    schema: str


def open_database(path: str, kind: Kind, pragmas: Sequence[str]) -> sqlite3.Connection:
    """Connect in WAL mode, check the format, create the tables of a new file. ``pragmas``: of this connection.

    Raises:
        StateUnreadable: not such a database, or damaged.
        NewerState: written by a newer version.
        StoreFailed: the file cannot be opened.
    """
    with errors(kind, "opened"):
        db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        try:
            found = _format_of(db, path, kind)
            for pragma in ("journal_mode=WAL", *pragmas):
                db.execute(f"PRAGMA {pragma}").fetchone()
            if found == 0:
                db.executescript(
                    f"BEGIN IMMEDIATE; {kind.schema} PRAGMA application_id={kind.application};"
                    f"PRAGMA user_version={kind.format}; COMMIT;"
                )
        except BaseException:
            db.close()
            raise
    return db


def _format_of(db: sqlite3.Connection, path: str, kind: Kind) -> int:
    """The format it was written in; 0: it is new."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if found and application != kind.application:
        raise StateUnreadable(f"{path} is of another program", hint=aside_words(path))
    if found > kind.format:
        raise NewerState(
            f"{path} has format {found}; this gitsessiond knows {kind.format}", hint="install a newer gitsessiond"
        )
    return int(found)


@contextmanager
def open_beside(path: str, kind: Kind) -> Iterator[sqlite3.Connection]:
    """The database as it is, to be read beside the process that writes it; closed at the end.

    Raises:
        StateUnreadable: it is damaged, or no database.
        StoreFailed: it cannot be read.
    """
    with errors(kind, "read"):
        db = sqlite3.connect(f"file:{_escaped(path)}?mode=ro", uri=True, timeout=10.0, isolation_level=None)
        try:
            yield db
        finally:
            db.close()


def _escaped(path: str) -> str:
    """A path inside a SQLite URI: its three special characters escaped (sqlite.org/uri.html, 3.1)."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction; the lock is taken at once, so a failure comes before anything is written."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def errors(kind: Kind, what: str) -> Iterator[None]:
    """SQLite's errors as ours: a damaged file is state that cannot be read, the rest is a disk that refuses.

    ``what``: that could not be done, as in "cannot be written".
    """
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StateUnreadable(f"{kind.name} is damaged: {exc}", hint="git session doctor") from exc
        raise StoreFailed(f"{kind.name} cannot be {what}: {exc}", hint="df -h .") from exc
    except OSError as exc:
        raise disk_refused(f"{kind.name} cannot be {what}", exc) from exc
