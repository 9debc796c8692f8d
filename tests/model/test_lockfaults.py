"""What cannot be in a table of locks is seen, each planted."""

from __future__ import annotations

from gitsessiond.model.lockfaults import table_faults
from gitsessiond.model.locks import Asked, Hold, Holder, Want
from gitsessiond.model.locktable import LockTable
from gitsessiond.model.resources import resource


def held(table: LockTable, client: str, name: str, mode: str = "X") -> None:
    who = Holder(client, client, None, None, None, None, False)
    table.acquire(Asked(who, (Want(resource(name), mode),), 60.0, None), 0.0)


def faults(table: LockTable, now: float = 1.0, known: str = "ab") -> list[str]:
    return list(table_faults(table, known.__contains__, now))


def test_a_table_that_is_right() -> None:
    """Many readers, marks of intent, several clients: nothing to say."""
    table = LockTable()
    held(table, "a", "path/one")
    held(table, "b", "path/two", "S")
    held(table, "a", "path/two", "S")
    held(table, "b", "path/one", "intent")
    assert len(table.holds) == 4 and faults(table) == []


def test_what_cannot_be() -> None:
    """Two writers of one file, a token nobody gave, a lock that is over, one of nobody."""
    table = LockTable()
    held(table, "a", "path/one")
    (one,) = table.holds
    assert faults(table, known="b") == ["lock 1 on path/one is of a client that is not there: a"]
    one.confirmed = False
    assert faults(table, known="b") == []  # it may be heard of yet
    assert faults(table, now=100.0) == ["lock 1 on path/one should have ended 40 s ago"]
    other = Holder("b", "b", None, None, None, None, False)
    table.holds.put(Hold(Want(one.resource, "X"), other, 7, 60.0, 0.0, None))
    assert faults(table) == [
        "lock 1 on path/one is beside lock 7 on path/one",
        "lock 7 on path/one has a token above the last one given, 1",
        "lock 7 on path/one is beside lock 1 on path/one",
    ]
