"""Conflicts that only tell: between whom, about what, where they are shown, and what older builds can read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitsessiond.model.conflicts import is_in_panel, is_notice, resource_of, sessions_of
from gitsessiond.model.records import Conflict, DeniedLock, LeftBehind, LockInTheWay, decode, encode
from tests.model.test_conflicts import conflict

OWN, OTHER = "m" * 12, "n" * 12
LATER = {"denied", "other", "left"}


def lock(session: str | None = OTHER) -> LockInTheWay:
    return LockInTheWay(token=1, client="bob", session=session)


def denied(name: str = "path/a.txt", session: str | None = OWN) -> DeniedLock:
    return DeniedLock(name=name, client="ann", session=session)


def left(**more: tuple[str, ...]) -> LeftBehind:
    return LeftBehind(to=OTHER, client="ann", **more)


NOTICES: list[tuple[dict[str, Any], list[str], str, bool]] = [
    ({"kind": "resource_lock", "lock": lock()}, [OWN, OTHER], "path/a.txt", False),
    ({"kind": "resource_lock", "lock": lock(None)}, [OWN], "path/a.txt", False),
    ({"kind": "resource_lock", "lock": lock(), "denied": denied("db/x")}, [OWN, OTHER], "db/x", False),
    ({"kind": "resource_lock", "lock": lock(OWN), "denied": denied()}, [OWN], "path/a.txt", False),
    ({"kind": "resource_lock", "lock": lock(OWN), "denied": denied(session=None)}, [OWN], "path/a.txt", False),
    ({"kind": "resource_lock", "lock": lock(), "denied": denied(session=None)}, [OTHER], "path/a.txt", False),
    ({"kind": "file_edit", "other": OTHER}, [OWN, OTHER], "path/a.txt", True),
    ({"kind": "context_switch", "left": left(unassigned=("a.txt",))}, [OWN, OTHER], "path/a.txt", True),
    ({"kind": "context_switch", "left": left(locks=("db/x",)), "path": "db/x"}, [OWN, OTHER], "db/x", True),
]


@pytest.mark.parametrize(("facts", "sessions", "about", "shown"), NOTICES)
def test_a_notice(facts: dict[str, Any], sessions: list[str], about: str, shown: bool) -> None:
    one = conflict(**facts, patch=None)
    assert (sessions_of(one, OWN), resource_of(one)) == (sessions, about)
    assert is_notice(one) and is_in_panel(one) == shown
    assert decode(Conflict, encode(one), "record.json") == one
    assert LATER & json.loads(encode(one)).keys() == LATER & facts.keys()


@pytest.mark.parametrize("kind", ["git_merge", "context_switch", "state_divergence", "git_revert"])
def test_a_clash_is_none_and_written_as_ever(kind: str) -> None:
    """So a build that does not know the later fields reads every session without such notices."""
    one = conflict(kind=kind)
    assert not is_notice(one) and not is_in_panel(one)
    assert sessions_of(one, OWN) == [OWN] and resource_of(one) == "path/a.txt"
    assert not LATER & json.loads(encode(one)).keys()
    assert decode(Conflict, encode(one), "record.json") == one
