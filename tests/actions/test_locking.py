"""Locks that survive the daemon: what the next one takes up, and what a disk that refuses comes to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from gitsessiond.actions.locking import AGAIN_S, RESERVE_S, Failed, Locking
from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.locks import Acquired, Denied, Released
from gitsessiond.model.resources import resource
from gitsessiond.store.heldlocks import HeldLocks
from gitsessiond.store.lockjournal import FENCE, LockJournal, read_breaks
from gitsessiond.store.locklog import JOURNAL
from gitsessiond.store.processes import own_namespace, seen
from tests.model.locked import asked

Begin = Callable[..., Locking]
Full = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """The locks as a daemon that starts at a time finds them."""

    def one(now: float, *, fresh: bool = True) -> Locking:
        made = Locking(LockJournal(str(tmp_path)))
        made.take_up(now, fresh=fresh)
        return made

    return one


def held(locking: Locking) -> dict[str, tuple[str, float, bool]]:
    return {one.resource.name: (one.mode, one.deadline, one.confirmed) for one in locking.table.holds}


def refuse(self: LockJournal, *what: object) -> None:
    """A write that cannot be."""
    raise StoreFailed("the disk is full", hint="df -h .")


@pytest.mark.parametrize("fresh", [True, False])
def test_whose_process_has_ended_meanwhile_has_nothing(begin: Begin, tmp_path: Path, fresh: bool) -> None:
    """It is given back as if somebody had been there to see it; whoever cannot be seen may live."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    with process:
        found, own = seen(process.pid), seen(os.getpid())
        assert found is not None and own is not None
        space = own_namespace()
        first = begin(0.0)
        for name, pid, began in (
            ("dead", found.pid, f"{found.began} {space}"),
            ("elsewhere", found.pid, f"{found.began} pid:[1]"),
            ("unknown", found.pid, ""),
            ("living", own.pid, f"{own.began} {space}"),
        ):
            wanted = asked(name, f"path/{name}", ttl=1e9)
            first.acquire(wanted._replace(holder=wanted.holder._replace(pid=pid, began=began)), 0.0)
        first.commit(0.0)
        assert len(held(begin(1.0, fresh=fresh))) == 4
    second = begin(2.0, fresh=fresh)
    assert sorted(held(second)) == ["path/elsewhere", "path/living", "path/unknown"]
    assert len(HeldLocks(str(tmp_path), alone=True).now()) == 3
    [gone] = second.commit(2.0)
    assert isinstance(gone, Released) and (gone.why, gone.hold.client) == ("gone", "dead")
    assert len(HeldLocks(str(tmp_path)).now()) == 3


def test_a_lease_lasts_its_time_once_more_and_is_unconfirmed(begin: Begin) -> None:
    """Until its holder is heard of; tokens go on rising."""
    first = begin(0.0)
    first.acquire(asked("ann", "path/a", ttl=100), 0.0)
    first.acquire(asked("bob", "S path/b", ttl=10), 0.0)
    first.commit(0.0)
    token = first.table.last_token
    second = begin(90.0)
    assert held(second) == {"path/a": ("X", 190.0, False), "path/b": ("S", 100.0, False)}
    second.renew("ann", None, 95.0)
    assert held(second)["path/a"] == ("X", 195.0, True)
    for now in (95.0, 98.0, 101.0):
        second.look(now)
        second.commit(now)
    assert list(held(second)) == ["path/a"]
    second.acquire(asked("bob", "path/b"), 102.0)
    assert second.table.last_token > token


def test_without_a_daemon_the_clock_goes_on(begin: Begin) -> None:
    first = begin(0.0, fresh=False)
    first.acquire(asked("ann", "path/a", ttl=100), 0.0)
    first.commit(0.0)
    first.close()
    assert held(begin(99.0, fresh=False)) == {"path/a": ("X", 100.0, True)}
    assert held(begin(100.0, fresh=False)) == {}


def test_renewals_and_ends_are_written_too(begin: Begin) -> None:
    first = begin(0.0)
    first.acquire(asked("ann", "path/a", "path/b", "path/c", ttl=100), 0.0)
    first.renew("ann", [resource("path/a")], 50.0)
    first.release("ann", [resource("path/b")], 50.0)
    first.acquire(asked("ann", "S path/d", ttl=100), 50.0)
    first.acquire(asked("ann", "X path/d", ttl=100), 60.0)
    first.commit(60.0)
    first.gone("bob", 60.0)
    found = held(begin(70.0, fresh=False))
    assert {name: one[:2] for name, one in found.items()} == {
        "path/a": ("X", 150.0), "path/c": ("X", 100.0), "path/d": ("X", 160.0),
    }  # fmt: skip


def test_a_request_asked_twice_while_it_waits_keeps_its_place(begin: Begin) -> None:
    locking = begin(0.0)
    locking.acquire(asked("ann", "path/a"), 0.0)
    ticket = locking.acquire(asked("bob", "path/a", until=30.0)._replace(request="r1"), 0.0)
    assert locking.waiting("bob", "r1") == ticket
    assert locking.waiting("ann", "r1") is None
    locking.release("ann", None, 1.0)
    assert locking.waiting("bob", "r1") is None
    assert [one.ticket for one in locking.commit(1.0) if isinstance(one, Acquired)][-1] == ticket


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Full:
    """A disk that refuses, from now on until the end of the block; ``spent``: and there is no token left."""

    @contextmanager
    def one(*, spent: bool = False) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(LockJournal, "_write", refuse)
            patch.setattr(LockJournal, "_fence", refuse)
            patch.setattr("gitsessiond.actions.locking.AGAIN_TIMES", 0)
            if spent:
                patch.setattr(LockJournal, "may_give", lambda self, last_token: False)
            yield

    return one


def test_what_cannot_be_written_is_in_memory(begin: Begin, full: Full) -> None:
    """Everybody is kept out by it; it is tried again after a while, and all that came meanwhile is written then."""
    locking = begin(0.0)
    locking.acquire(asked("ann", "path/a"), 0.0)
    locking.acquire(asked("ann", "path/z"), 0.0)
    locking.commit(0.0)
    with full():
        locking.acquire(asked("ann", "path/b", ttl=1000), 1.0)
        locking.acquire(asked("bob", "path/b"), 1.0)
        locking.acquire(asked("bob", "path/c"), 1.0)
        locking.release("ann", [resource("path/z")], 1.0)
        told = [type(one) for one in locking.commit(1.0)]
        assert told == [Acquired, Denied, Acquired, Released]
        assert locking.trouble is not None and locking.trouble.message == "the disk is full"
        again = locking.next_look(1.0)
        assert again == 1.0 + AGAIN_S
        assert sorted(held(begin(1.0))) == ["path/a", "path/z"]  # as it would be, were it killed now
    locking.release("bob", None, 1.5)
    assert len(locking.commit(1.5)) == 1 and locking.trouble is not None  # it is not tried at once
    locking.commit(again)
    assert locking.trouble is None
    assert sorted(held(begin(again))) == ["path/a", "path/b"]


def test_no_token_is_given_twice_whatever_is_lost(begin: Begin, full: Full) -> None:
    """Those given in memory are below the bound on disk, also if the disk refuses the very first of a daemon."""
    first = begin(0.0)
    first.look(RESERVE_S)
    with full():
        first.acquire(asked("ann", "path/a"), 2.0)
        (told,) = first.commit(2.0)
        assert isinstance(told, Acquired)
    second = begin(3.0)
    assert held(second) == {}
    second.acquire(asked("bob", "path/a"), 3.0)
    (later,) = second.commit(3.0)
    assert isinstance(later, Acquired) and later.fresh[0].token > told.fresh[0].token


def test_tokens_are_set_apart_once_it_has_run_for_a_while(begin: Begin, tmp_path: Path) -> None:
    """Not by a daemon that ends before; one that ends in order gives them back."""
    first = begin(0.0)
    first.look(0.5)
    assert first.next_look(0.5) == RESERVE_S and list(tmp_path.iterdir()) == []
    first.look(RESERVE_S)
    assert first.next_look(RESERVE_S) is None and [one.name for one in tmp_path.iterdir()] == [FENCE]
    first.close()
    second = begin(2.0)
    second.acquire(asked("ann", "path/a"), 2.0)
    assert [one.token for one in second.table.holds] == [1]


def test_a_grant_beyond_the_tokens_is_none(begin: Begin, full: Full) -> None:
    """Neither is that of who is let in by taking it back; a lock that was to become more is what it was."""
    locking = begin(0.0)
    locking.acquire(asked("ann", "S path/a"), 0.0)
    locking.commit(0.0)
    token = locking.table.holds.of("ann")[0].token
    with full(spent=True):
        locking.acquire(asked("ann", "X path/a"), 1.0)
        locking.acquire(asked("bob", "path/b"), 1.0)
        locking.acquire(asked("cat", "path/b", until=9.0), 1.0)
        failed = [one.asked.holder.client for one in locking.commit(1.0) if isinstance(one, Failed)]
        assert failed == ["ann", "bob"]
        assert locking.next_look(1.0) == 1.0
        (last,) = locking.commit(1.0)
        assert isinstance(last, Failed)
        assert last.asked.holder.client == "cat"
        locking.release("ann", None, 1.0)
        (released,) = locking.commit(1.0)
        assert isinstance(released, Released)
    assert held(locking) == {}
    locking.acquire(asked("bob", "path/b"), 9.0)
    locking.commit(9.0)
    assert list(held(begin(9.0))) == ["path/b"]
    assert locking.table.holds.of("bob")[0].token > token


def test_without_a_daemon_there_is_no_memory(begin: Begin, full: Full) -> None:
    locking = begin(0.0, fresh=False)
    with full():
        locking.acquire(asked("ann", "path/a"), 0.0)
        (told,) = locking.commit(0.0)
    assert isinstance(told, Failed) and held(locking) == {}


def test_a_journal_that_is_damaged_meanwhile_is_written_anew(begin: Begin, tmp_path: Path) -> None:
    """When somebody asks how things are; otherwise with the next change."""
    locking = begin(0.0)
    locking.acquire(asked("ann", "path/a"), 0.0)
    locking.acquire(asked("bob", "path/b"), 0.0)
    locking.commit(0.0)
    with open(tmp_path / JOURNAL, "ab") as file:
        file.write(b"not a line\n")
    (wrong,), mended = locking.mend()
    assert wrong.endswith("the journal of locks is damaged: b'not a line'") and mended
    assert locking.mend() == ([], False)
    assert locking.trouble is None and sorted(held(begin(9.0))) == ["path/a", "path/b"]


@pytest.mark.parametrize("end", ["release", "gone"])
def test_an_upgrade_that_cannot_be_written_brings_back_nothing_that_has_ended(
    begin: Begin, full: Full, end: str
) -> None:
    """Who gave it back in the same turn, or died, has nothing, now and after the next start; nobody is told of it."""
    locking = begin(0.0)
    locking.acquire(asked("ann", "S path/a"), 0.0)
    locking.acquire(asked("bob", "S path/b"), 0.0)
    locking.commit(0.0)
    with full(spent=True):
        locking.acquire(asked("ann", "X path/a"), 1.0)
        locking.acquire(asked("bob", "X path/b"), 1.0)
        if end == "release":
            locking.release("ann", None, 1.0)
        else:
            locking.gone("ann", 1.0)
        assert [type(one) for one in locking.commit(1.0)] == [Failed, Failed]
    assert {name: one[0] for name, one in held(locking).items()} == {"path/b": "S"}
    locking.commit(9.0)
    assert {name: one[0] for name, one in held(begin(9.0)).items()} == {"path/b": "S"}


def test_a_loop_that_stood_still_ends_nobodys_lease(begin: Begin) -> None:
    """Nobody could renew: what has half of its time behind it unheard lasts longer by that."""
    locking = begin(0.0)
    locking.acquire(asked("ann", "path/a", ttl=10), 0.0)
    locking.acquire(asked("bob", "path/b", ttl=1000), 0.0)
    locking.look(0.0)
    locking.commit(0.0)
    assert locking.next_look(0.0) == 2.5
    locking.look(2.6)
    assert locking.next_look(2.6) == 5.1
    locking.wake(105.1)  # the machine was busy, or this process stopped
    assert locking.renew("ann", None, 105.1)
    locking.look(105.1)
    assert sorted(held(locking)) == ["path/a", "path/b"]
    assert held(locking)["path/b"][1] == 1000.0


def test_who_breaks_a_lock_is_noted_before_it_is_broken(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locking = begin(0.0)
    locking.acquire(asked("ann", "path/a"), 0.0)
    by = asked("bob", "path/a")._replace(reason="away")

    def refuse(self: LockJournal, told: object) -> None:
        raise StoreFailed("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(LockJournal, "broke", refuse)
        with pytest.raises(StoreFailed):
            locking.break_off(resource("path/a"), by, True, 1.0, "2026-01-02T03:04:05Z")
    assert [one.client for one in locking.table.holds] == ["ann"]
    locking.break_off(resource("path/a"), by, True, 1.0, "2026-01-02T03:04:05Z")
    assert [one.client for one in locking.table.holds] == ["bob"]
    (noted,) = read_breaks(str(tmp_path))
    assert (noted["how"], noted["of"]["client"], noted["by"]["client"], noted["reason"]) == (
        "stolen",
        "ann",
        "bob",
        "away",
    )
