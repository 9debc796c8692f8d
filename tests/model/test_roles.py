"""Who may do what: people are told apart by their address."""

from __future__ import annotations

import pytest

from gitsessiond.model.errors import BadRequest
from gitsessiond.model.roles import ROLES, Person, checked_user, counts, has_owner, key_of, role_of, suffices

ANN, BOB = Person("Ann <ann@example.org>", "owner"), Person("bob@example.org", "contributor")


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("Ann <ann@example.org>", "ann@example.org"),
        ("Ann Other <ANN@example.org>", "ann@example.org"),
        ("<ann@example.org>", "ann@example.org"),
        (" ann@Example.org ", "ann@example.org"),
        ("Ann", "ann"),
        ("a <b> c", "a <b> c"),  # no address: only the same text is the same person
    ],
)
def test_people_are_told_apart_by_their_address(user: str, key: str) -> None:
    """Names and case say nothing; where there is no address the text does."""
    assert key_of(user) == key


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Bob <bob@x>", "Bob <bob@x>"),
        (" bob@x ", "bob@x"),
        ("<bob@x>", "bob@x"),
        ("Änne de Vries <a.b+c@x.org>", "Änne de Vries <a.b+c@x.org>"),
    ],
)
def test_who_can_be_invited(typed: str, kept: str) -> None:
    """An address, with a name or without."""
    assert checked_user(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "bob",
        "Bob <bob>",
        "@",
        "bob@",
        "bob @x",
        "a@b <c@d> e",
        "a@b\nc",
        "a@b\x1b[2J",
        "x" * 200 + "@y",
        "\ud800@x",
    ],
)
def test_who_cannot(typed: str) -> None:
    """No address, or what would garble a terminal."""
    with pytest.raises(BadRequest):
        checked_user(typed)


def test_roles() -> None:
    """Each may do what those before it may; who is not named may look; alone nobody's role counts."""
    assert ROLES == ("viewer", "contributor", "maintainer", "owner")
    assert [[suffices(role, needed) for needed in ROLES] for role in (None, *ROLES)] == [
        [True, False, False, False],
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
    assert not counts([ANN], ANN.user) and counts([ANN, BOB], ANN.user) and not counts([], ANN.user)
    assert counts([BOB], ANN.user)  # whoever made the session has left it to him
    assert role_of([ANN, BOB], "Robert <BOB@example.org>") == "contributor" and role_of([ANN, BOB], "Eve <e@x>") is None
    assert has_owner([ANN, BOB]) and not has_owner([BOB])
