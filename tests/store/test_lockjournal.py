"""The journal of locks: what the next daemon finds, and that no token is ever given twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.model.errors import NewerState, StateUnreadable, StoreFailed
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.store import lockjournal, locklog
from gitsessiond.store.lockjournal import BLOCK, FENCE, LockJournal, read_breaks
from gitsessiond.store.locklog import JOURNAL

ANN = Holder("ann", "Ann <ann@example.org>", "box", 7, "main", None, True, True)


def hold(token: int, name: str = "path/a", **more: object) -> Hold:
    made = Hold(Want(resource(name), "X"), ANN, token, 300.0, 50.0, "caf\u00e9")
    for key, value in more.items():
        setattr(made, key, value)
    return made


@pytest.fixture
def open_again(tmp_path: Path) -> Callable[[], LockJournal]:
    """The journal as a daemon finds it."""
    return lambda: LockJournal(str(tmp_path))


Open = Callable[[], LockJournal]


def test_what_is_put_is_found_by_the_next(open_again: Open) -> None:
    """Whole, with stray bytes in its name, and unconfirmed; what was dropped is not."""
    journal = open_again()
    journal.put(hold(1, "path/\udcff\\[x]"))
    journal.put(hold(2))
    journal.commit(2)
    journal.put(hold(3, "db/x", deadline=77.0))
    journal.drop(hold(2))
    journal.commit(3)
    first, second = open_again().read()
    assert (first.resource.name, first.mode, first.holder, first.token) == ("path/\udcff\\[x]", "X", ANN, 1)
    assert (first.ttl, first.since, first.deadline, first.reason, first.confirmed) == (
        300.0,
        50.0,
        350.0,
        "café",
        False,
    )
    assert (second.token, second.deadline) == (3, 77.0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (1, 5), (1, None), (1, "nothing"), (1, "path/" + "a" * 9999), (2, "Z"), (2, ["X"]), (3, [1]), (3, "ann"),
        (3, {"client": []}), (3, {"client": "a", "pid": "x"}), (3, {"client": "a", "more": 1}), (3, {}),
        (3, {"client": "a", "agent": []}), (3, {"client": "a", "named": 1}), (3, {"client": "a", "pid": True}), (0, -1),
        (0, 10**30), (4, True), (5, False),
        (4, "soon"), (4, 10**400), (5, None), (5, float("nan")), (6, float("inf")), (7, 7), (7, ["why"]),
    ],
)  # fmt: skip
def test_rows_that_are_none_are_left_out(open_again: Open, tmp_path: Path, column: int, value: object) -> None:
    """And not written again."""
    journal = open_again()
    journal.put(hold(1))
    journal.put(hold(2, "path/b"))
    journal.commit(2)
    path = tmp_path / JOURNAL
    first, line = path.read_text().splitlines()
    told = json.loads(line)
    told[1][0][column] = value
    path.write_text(f"{first}\n{json.dumps(told)}\n")
    later = open_again()
    assert [one.token for one in later.read()] == [2]
    later.put(hold(3, "path/c"))
    later.commit(3)
    assert later.faults([2, 3]) == []


def test_nothing_is_made_until_there_is_a_lock(open_again: Open, tmp_path: Path) -> None:
    journal = open_again()
    journal.commit(0)
    journal.close(0)
    assert list(tmp_path.iterdir()) == []


def test_put_and_dropped_at_once_is_never_written(open_again: Open) -> None:
    journal = open_again()
    journal.put(hold(1))
    journal.drop(hold(1))
    journal.commit(1)
    assert open_again().read() == []


def test_tokens_rise_whatever_was_lost(open_again: Open, tmp_path: Path) -> None:
    """A killed daemon's block is skipped; one that ended leaves none out; a lost fence costs more than a block."""
    journal = open_again()
    assert journal.highest == 0
    journal.put(hold(1))
    journal.commit(1)
    killed = open_again()
    assert killed.highest == 1 + BLOCK
    killed.put(hold(killed.highest + 1))
    killed.commit(killed.highest + 1)
    killed.close(killed.highest + 1)
    assert open_again().highest == BLOCK + 2
    (tmp_path / FENCE).unlink()
    assert 10**13 < open_again().highest < 2**53
    (tmp_path / FENCE).write_text("{")
    assert 10**13 < open_again().highest < 2**53


def test_the_bound_is_on_disk_before_the_first_token_of_a_block(
    open_again: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_again()
    written: list[int] = []
    monkeypatch.setattr(lockjournal, "write_durably", lambda path, data: written.append(json.loads(data)["bound"]))
    half = BLOCK // 2
    for token in (1, 2, half + 1, half + 2, BLOCK + 1, BLOCK + 2):
        journal.put(hold(token))
        journal.commit(token)
    assert written == [1 + BLOCK, half + 2 + BLOCK]  # half a block ahead, should the disk refuse the next


@pytest.mark.parametrize("spoilt", [False, True])
def test_locks_of_another_boot_are_gone(
    open_again: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: bool
) -> None:
    """Unread: a power cut may have left anything in the file."""
    journal = open_again()
    journal.put(hold(1))
    journal.commit(1)
    if spoilt:
        (tmp_path / JOURNAL).write_bytes(b"\0" * 5000)
    monkeypatch.setattr(lockjournal, "boot_id", lambda: "another")
    later = open_again()
    assert later.read() == []
    assert later.highest == 1 + BLOCK
    later.put(hold(later.highest + 1))
    later.commit(later.highest + 1)
    assert [one.token for one in open_again().read()] == [BLOCK + 2]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_a_fence_that_cannot_be_read_costs_no_lock(
    open_again: Open, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """It may be a good one, which says that the journal is of this run of the machine."""
    journal = open_again()
    journal.put(hold(1))
    journal.commit(1)
    fence = tmp_path / FENCE
    content = fence.read_bytes()
    fence.unlink()
    make(fence)
    with pytest.raises((StoreFailed, StateUnreadable)) as caught:
        open_again()
    assert caught.value.hint
    fence.rmdir() if fence.is_dir() else fence.unlink()
    fence.write_bytes(content)
    assert [one.token for one in open_again().read()] == [1]


def test_what_is_written_anew_takes_the_place_of_what_is_there(
    open_again: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At no time there is neither; a disk that refuses leaves the old one, and the next commit tries again."""
    journal = open_again()
    journal.put(hold(1))
    journal.commit(1)

    def refuse(file: int, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    for holds, tokens in (([hold(1), hold(2)], [1, 2]), ([], [])):
        before = (tmp_path / JOURNAL).read_bytes()
        with monkeypatch.context() as full:
            full.setattr(locklog, "write_all", refuse)
            with pytest.raises(StoreFailed):
                journal.write_anew(holds, 2)
            with pytest.raises(StoreFailed):
                journal.commit(2)
        assert (tmp_path / JOURNAL).read_bytes() == before
        journal.commit(2)
        assert journal.faults(tokens) == [] and [one.token for one in open_again().read()] == tokens


@pytest.mark.parametrize("content", [b"", b"no database" * 500])
def test_a_damaged_journal_costs_the_locks_only(open_again: Open, tmp_path: Path, content: bytes) -> None:
    journal = open_again()
    journal.put(hold(1))
    journal.commit(1)
    (tmp_path / JOURNAL).write_bytes(content)
    later = open_again()
    assert later.read() == []
    later.put(hold(2 * BLOCK))
    later.commit(2 * BLOCK)
    assert [one.token for one in open_again().read()] == [2 * BLOCK]


def test_what_is_not_ours_is_left_alone(open_again: Open, tmp_path: Path) -> None:
    """A newer version's, a directory."""
    journal = open_again()
    journal.put(hold(1))
    journal.commit(1)
    journal.close(1)
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    newer = path.read_bytes()
    with pytest.raises(NewerState):
        open_again()
    assert path.read_bytes() == newer
    path.unlink()
    path.mkdir()
    with pytest.raises(StateUnreadable) as caught:
        open_again()
    assert str(caught.value.hint).startswith("mv ")
    (tmp_path / FENCE).write_text('{"format": 2, "bound": 1, "boot": "x"}')
    with pytest.raises(NewerState):
        open_again()


def test_what_could_not_be_written_is_written_next_time(open_again: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_again()

    def refuse(path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(lockjournal, "write_durably", refuse)
        journal.put(hold(1))
        with pytest.raises(StoreFailed):
            journal.commit(1)
    assert open_again().read() == []
    journal.commit(1)
    assert [one.token for one in open_again().read()] == [1]


def test_who_broke_whose_lock_is_kept(open_again: Open, tmp_path: Path) -> None:
    journal = open_again()
    journal.broke({"name": "path/a", "reason": "away"})
    with open(tmp_path / lockjournal.BREAKS, "a") as file:
        file.write('{"name": "path/b", "rea')
    assert [one["name"] for one in read_breaks(str(tmp_path))] == ["path/a"]
