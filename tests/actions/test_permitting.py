"""Roles by the desk: what each may do, and that nothing changes where nobody else is named."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.actions import permitting
from gitsessiond.daemon.dispatch import VERBS, decoded
from gitsessiond.model.errors import BadRequest, GitSessionError, NotFound, Refused
from gitsessiond.wire.requests import READS
from tests.actions.asking import Asking, it

__all__ = ["it"]

PEOPLE = {
    "owner": "Ann <ann@example.org>",
    "maintainer": "Mia <mia@x>",
    "contributor": "Bob <bob@x>",
    "viewer": "Vic <vic@x>",
    "stranger": "Eve <eve@x>",
}
ALL = ("owner", "maintainer", "contributor", "viewer", "stranger")
THREE, TWO, ONE = ALL[:3], ALL[:2], ALL[:1]
TABLE: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("session.status", {}, ALL),
    ("session.collaborators", {}, ALL),
    ("patch.diff", {"patch": "anns"}, ALL),
    ("history", {}, ALL),
    ("merge", {"patch": "anns", "dry_run": True}, ALL),
    ("session.close", {"dry_run": True}, ALL),
    ("assign", {"all": True}, ALL),  # it asks only where the edits could go
    ("patch.new", {"name": "another"}, THREE),
    ("patch.rename", {"patch": "bobs", "description": "x"}, THREE),
    ("patch.use", {"patch": "bobs"}, THREE),
    ("patch.use", {"patch": "-"}, THREE),
    ("assign", {"what": "README", "patch": "bobs"}, THREE),
    ("assign", {"what": "a.txt", "patch": "bobs"}, TWO),  # it is Ann's patch's
    ("assign", {"what": "a.txt", "patch": "-"}, TWO),
    ("assign", {"what": "README", "patch": "anns"}, TWO),
    ("patch.rename", {"patch": "anns", "description": "x"}, TWO),
    ("patch.ready", {"patch": "anns"}, TWO),
    ("patch.abandon", {"patch": "anns"}, TWO),
    ("commit", {"patch": "anns", "message": "m"}, TWO),
    ("patch.use", {"patch": "anns"}, TWO),
    ("patch.use", {"patch": "anns", "dry_run": True}, TWO),  # it knows no dry run
    ("editors.switch", {"editor": 1}, TWO),  # with what Ann's patch has edited
    ("editors.switch", {"editor": 2}, THREE),
    ("session.rename", {"description": "x"}, TWO),
    ("session.update", {}, TWO),
    ("merge", {"patch": "anns", "ready": True}, TWO),
    ("session.abandon", {}, ONE),
    ("session.close", {}, ONE),
    ("session.invite", {"user": "eve@x", "role": "owner"}, ONE),
    ("session.invite", {"user": "eve@x", "role": "owner", "dry_run": True}, ONE),
    ("session.uninvite", {"user": "ann@example.org"}, ONE),
]


def team(it: Asking) -> None:
    """Ann's session with everybody in it; a patch of Ann's, one of Bob's, and an edit that is nobody's."""
    it.env = {}
    for role in ("maintainer", "contributor", "viewer"):
        it.ask("session.invite", user=PEOPLE[role], role=role)
    it.patch("anns", "a.txt", "line 2", "LINE 2")
    it.env = {"GITSESSION_USER": PEOPLE["contributor"]}
    it.patch("bobs", "src/b.txt", "b 9", "B 9")
    it.ask("patch.use", patch="-")
    it.edit("README", "shop", "the shop")
    it.look()


def test_roles_and_verbs(it: Asking) -> None:
    """The table of docs/security.md: those who may not are refused, with the role it takes, and nothing changes.

    That the others are not refused is looked at without doing it: each would change what the next finds.
    """
    team(it)
    ctx = it.desk.ctx
    before = next(iter(ctx.sessions.values())).state
    for verb, args, allowed in TABLE:
        for role in ALL:
            it.env = {"GITSESSION_USER": PEOPLE[role]}
            if role not in allowed:
                with pytest.raises(Refused) as refused:
                    it.ask(verb, **args)
                assert refused.value.reason == "role" and refused.value.hint == "git session collaborators", (
                    verb,
                    role,
                )
                assert PEOPLE[role] in refused.value.message
            else:
                who = {"cwd": str(it.root), "session": None, "env": it.env}
                permitting.check_permitted(ctx, decoded({"verb": verb, "args": args, "who": who}), reads=verb in READS)
    assert next(iter(ctx.sessions.values())).state is before


def test_contributors_work(it: Asking) -> None:
    """What they may do goes through: their patch takes what is nobody's, is committed and made ready."""
    team(it)
    it.ask("assign", what="README", patch="bobs")
    assert it.ask("commit", patch="bobs", message="Bob's")["files"] == 2
    assert it.ask("patch.ready", patch="bobs")["patch"]["status"] == "ready"
    with pytest.raises(Refused, match="`git session merge` needs a maintainer of session x; Bob <bob@x> is a contrib"):
        it.ask("merge", patch="bobs")
    it.env = {"GITSESSION_USER": PEOPLE["maintainer"]}
    assert it.ask("merge", patch="bobs")["merged"]
    it.env = {}
    assert it.ask("session.close")["session"]["status"] == "closed"
    it.env = {"GITSESSION_USER": PEOPLE["maintainer"]}
    with pytest.raises(Refused, match="needs an owner"):
        it.ask("session.reopen")


def test_nothing_changes_where_nobody_else_is_named(it: Asking) -> None:
    """Anybody may do anything, but name people."""
    it.patch("anns", "a.txt", "line 2", "LINE 2")
    it.env = {"GITSESSION_USER": PEOPLE["stranger"]}
    told = it.ask("session.collaborators")
    assert told["counts"] is False and told["you"] == {"user": PEOPLE["stranger"], "role": None, "patches": 0}
    assert it.ask("patch.ready", patch="anns")["patch"]["status"] == "ready"
    with pytest.raises(Refused, match="Eve <eve@x> is not named there"):
        it.ask("session.invite", user="eve@x", role="owner")
    assert it.ask("session.close")["session"]["status"] == "closed"


def test_inviting(it: Asking) -> None:
    """Named once, by address; another role replaces it; it is in the history, in the events, and after a restart."""
    first = it.ask("session.invite", user="Bob <bob@x>")
    assert (first["role"], first["changed"], first["counts"]) == ("contributor", True, True)
    again = it.ask("session.invite", user="BOB@x", role="contributor")
    assert (again["user"], again["changed"]) == ("Bob <bob@x>", False)
    assert it.ask("session.invite", user="bob@X", role="viewer")["collaborators"][1]["role"] == "viewer"
    it.restart()
    (ann, bob) = it.ask("session.collaborators")["collaborators"]
    assert (ann["role"], ann["invited_by"], bob["user"], bob["role"]) == ("owner", None, "Bob <bob@x>", "viewer")
    assert bob["invited_by"] == PEOPLE["owner"] and bob["at"]
    with pytest.raises(Refused, match="no owner"):
        it.ask("session.uninvite", user="ann@example.org")
    with pytest.raises(Refused, match="no owner"):
        it.ask("session.invite", user="ann@example.org", role="maintainer")
    for wrong in ({"user": "bob"}, {"user": "b@x", "role": "king"}, {"user": 3}, {}):
        with pytest.raises(BadRequest):
            it.ask("session.invite", **wrong)
    with pytest.raises(NotFound):
        it.ask("session.uninvite", user="eve@x")
    it.env = {"GITSESSION_USER": "Bob <bob@x>"}
    assert it.ask("session.uninvite", user="bob@x")["counts"] is False  # anybody may go
    steps = it.ask("history")["steps"]
    assert [(step["verb"], step["by"]) for step in steps[:3]] == [
        ("uninvite", "Bob <bob@x>"), ("invite", PEOPLE["owner"]), ("invite", PEOPLE["owner"]),
    ]  # fmt: skip
    told = [one["event"] for one in it.told if one.get("event", {}).get("type") == "collaborator_removed"]
    assert [(one["user"], one["by"]) for one in told] == [("Bob <bob@x>", "Bob <bob@x>")]


def test_a_verb_that_finds_nothing_says_so_itself(it: Asking) -> None:
    """A role is no answer to a name that means nothing."""
    team(it)
    for verb, args in (("patch.ready", {"patch": "nobodys"}), ("resolve", {"id": "zzzz", "how": "ours"})):
        with pytest.raises(NotFound):
            it.ask(verb, **args)
    it.env = {"GITSESSION_USER": PEOPLE["viewer"]}
    with pytest.raises(GitSessionError):
        it.ask("patch.ready", patch="nobodys")


def test_every_verb_has_its_role() -> None:
    """A new verb that changes something is given one, or is said to be about no session."""
    kinds = (
        permitting.OPEN, permitting.OF_REPOSITORY, permitting.CONTRIBUTORS, permitting.OF_A_PATCH,
        permitting.MAINTAINERS, permitting.OWNERS, permitting.ALWAYS_OWNERS,
    )  # fmt: skip
    assert set(VERBS) - READS <= frozenset().union(*kinds) <= set(VERBS)
    assert sum(len(kind) for kind in kinds) == len(frozenset().union(*kinds))
