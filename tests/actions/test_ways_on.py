"""What a refusal names as the way on goes through, and a look ahead tells what the real thing would refuse."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from gitsessiond.model.errors import Refused
from tests.actions.asking import LINES, Asking, it
from tests.actions.test_merges import hook

__all__ = ["it"]


def taken_over(it: Asking) -> None:
    """A line committed for one is taken over by two, and one's next commit takes it back: one comes to nothing."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="c1")
    it.patch("two", "a.txt", "LINE 2\n", "Line 2\n")
    it.ask("assign", what="a.txt:2", patch="two")
    it.ask("commit", message="hole", patch="one")
    it.ask("commit", message="again")


def test_a_patch_that_comes_to_nothing_lets_others_land(it: Asking) -> None:
    """Its commits add up to nothing, and another stands on them: it is merged as it is, and the other lands."""
    taken_over(it)
    assert it.status_of("one") == "draft"
    with pytest.raises(Refused, match="depends on one") as refused:
        it.merge("two")
    assert refused.value.hint == "git session merge one --ready"
    old = it.rev("main")
    assert not [one for one in it.ask("patch.validate", patch="one")["blockers"] if one["code"] != "draft"]
    done = it.merge("one")
    assert done["merged"] and done["files"] == 0 and it.rev("main") == old
    assert it.merge("two")["merged"]
    assert it.on_target("a.txt") == LINES.replace("line 2\n", "Line 2\n")


def test_an_empty_patch_that_nobody_needs_has_nothing_to_merge(it: Asking) -> None:
    """Commits that add up to nothing are no reason to call a patch merged."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="c1")
    it.edit("a.txt", "LINE 2\n", "line 2\n")
    it.ask("commit", message="and back")
    with pytest.raises(Refused, match="nothing to merge"):
        it.merge("one")


@pytest.mark.parametrize("asked", [{}, {"strategy": "squash"}])
def test_the_way_past_a_hook_is_the_command_that_was_given(it: Asking, asked: dict[str, Any]) -> None:
    """A draft stays one when the hook refuses; the hint declares it ready again, and lands it as asked."""
    hook(it.root, "commit-msg", "exit 1\n")
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    with pytest.raises(Refused, match="commit-msg hook refused") as refused:
        it.merge("one", **asked)
    words = shlex.split(refused.value.hint or "")
    how = [f"--strategy={value}" for value in asked.values()]
    assert words == ["git", "session", "merge", "one", "--ready", *how, "--no-verify"]
    assert it.merge("one", no_verify=True, **asked)["merged"]


def parked_by_a_rebase(it: Asking) -> None:
    """A rebase that stopped to edit; what is saved then is one's."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="c1")
    it.git("-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "-q", "-i", "HEAD~1")
    it.edit("a.txt", "line 8\n", "LINE 8\n")


def elsewhere(it: Asking) -> None:
    """Another branch in the session's worktree, with uncommitted edits of one."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.git("switch", "-q", "--detach")


@pytest.mark.parametrize("begin", [parked_by_a_rebase, elsewhere])
def test_what_cannot_be_committed_now_is_told_ahead(it: Asking, begin: Callable[[Asking], None]) -> None:
    """What merging would refuse because of the edits it has to commit, validate and a dry run tell as well."""
    begin(it)
    with pytest.raises(Refused) as refused:
        it.merge("one")
    with pytest.raises(Refused) as ahead:
        it.merge("one", dry_run=True)
    blockers = it.ask("patch.validate", patch="one")["blockers"]
    assert ahead.value.message == refused.value.message
    assert (refused.value.message, refused.value.hint) in [(one["message"], one["hint"]) for one in blockers]


def test_a_dry_run_of_a_draft_says_that_it_is_one(it: Asking) -> None:
    """Without --ready merging it is refused; a look ahead is not, and says so."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    assert it.ask("merge", patch="one", dry_run=True)["message"] == "one would merge into main once it is ready"
    it.ask("patch.ready", patch="one")
    assert it.ask("merge", patch="one", dry_run=True)["message"] == "one would merge into main"


def test_a_hook_that_has_yet_to_pass_is_told(it: Asking) -> None:
    """Uncommitted edits are committed by merging, and pre-commit may refuse them."""
    hook(it.root, "pre-commit", "exit 1\n")
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    assert it.ask("patch.validate", patch="one")["warnings"] == [
        "not committed yet, merging does it, if the pre-commit hook lets it: a.txt"
    ]
