"""Locks as the recorder finds them: what front has written, at once, whatever became of the file since."""

from __future__ import annotations

import time
from pathlib import Path

from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.store.heldlocks import HeldLocks
from gitsessiond.store.lockjournal import LockJournal
from gitsessiond.store.locklog import JOURNAL


def hold(token: int, name: str = "path/a.txt", mode: str = "X", ttl: float = 300.0) -> Hold:
    return Hold(Want(resource(name), mode), Holder("ann"), token, ttl, time.monotonic(), None)


def test_what_is_written_is_found_at_once(tmp_path: Path) -> None:
    held = HeldLocks(str(tmp_path))
    assert held.now() == ()
    journal = LockJournal(str(tmp_path))
    for token in (1, 2, 3):
        journal.put(hold(token, f"path/{token}"))
        journal.commit(token)
        assert [one.token for one in held.now()] == list(range(1, token + 1))
    journal.put(hold(4, mode="intent"))
    journal.commit(4)
    assert len(held.now()) == 3
    journal.drop(held.now()[0])
    journal.commit(4)
    assert [one.resource.name for one in held.now(anew=True)] == ["path/2", "path/3"]
    journal.put(hold(3, "path/3", ttl=900.0))
    journal.commit(4)
    assert [one.ttl for one in held.now()] == [300.0, 900.0]
    journal.close(4)


def test_case_counts_only_where_it_is_said_to(tmp_path: Path) -> None:
    journal = LockJournal(str(tmp_path))
    journal.put(hold(1, "path/A.PY"))
    journal.commit(1)
    assert [one.resource.key for one in HeldLocks(str(tmp_path)).now()] == ["path/A.PY"]
    [folded] = HeldLocks(str(tmp_path), fold=True).now()
    assert (folded.resource.key, folded.resource.name) == ("path/a.py", "path/A.PY")
    journal.close(1)


def test_without_a_daemon_times_count(tmp_path: Path) -> None:
    journal = LockJournal(str(tmp_path))
    journal.put(hold(1, ttl=-1.0))
    journal.put(hold(2, "path/b"))
    journal.commit(2)
    assert [one.token for one in HeldLocks(str(tmp_path)).now()] == [1, 2]
    assert [one.token for one in HeldLocks(str(tmp_path), alone=True).now()] == [2]
    journal.close(2)
    assert [one.token for one in HeldLocks(str(tmp_path), alone=True).now()] == [2]


def test_a_damaged_journal_holds_nothing_back(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"no database" * 1000)
    assert HeldLocks(str(tmp_path)).now() == ()
    assert (tmp_path / JOURNAL).exists()  # front puts it away
