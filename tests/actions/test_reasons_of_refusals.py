"""A refused merge tells programs which refusal it is; `patch validate` uses the same words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitsessiond.model.errors import Refused
from tests.actions.asking import Asking, it
from tests.actions.test_merges import hook
from tests.actions.test_strategies import mostly
from tests.conftest import git

__all__ = ["it"]


def draft(it: Asking) -> None:
    """It is one."""


def abandoned(it: Asking) -> None:
    it.ask("patch.abandon", patch="one")


def merged(it: Asking) -> None:
    assert it.merge("one")["merged"]


def dependency(it: Asking) -> None:
    it.ask("patch.new", name="below")
    it.ask("patch.depend", patch="one", on="below")


def dependency_abandoned(it: Asking) -> None:
    dependency(it)
    it.ask("patch.abandon", patch="below")


def empty(it: Asking) -> None:
    it.edit("a.txt", "LINE 2\n", "line 2\n")


def in_the_way(it: Asking) -> None:
    side = it.root.parent / "side"
    git(it.root, "worktree", "add", "-q", str(side), "main")
    (side / "a.txt").write_text("dirty\n")


def target(it: Asking) -> None:
    it.git("branch", "-D", "main")


def base(it: Asking) -> None:
    other = it.git("commit-tree", "-m", "unrelated", "main^{tree}").strip()
    it.git("branch", "-f", "main", other)


def parked(it: Asking) -> None:
    it.git("switch", "-q", "--detach")


def hook_says_no(it: Asking) -> None:
    hook(it.root, "pre-commit", "exit 1\n")


CASES: dict[str, Callable[[Asking], None]] = {
    "draft": draft,
    "abandoned": abandoned,
    "merged": merged,
    "dependency": dependency,
    "dependency_abandoned": dependency_abandoned,
    "empty": empty,
    "in_the_way": in_the_way,
    "target": target,
    "base": base,
    "parked": parked,
    "hook": hook_says_no,
}


OFTEN = ("draft", "dependency", "in_the_way", "hook")


@pytest.mark.parametrize("reason", mostly(*OFTEN, seldom=tuple(name for name in CASES if name not in OFTEN)))
def test_each_refusal_has_its_reason(it: Asking, reason: str) -> None:
    """The code is `refused` for all of them; `reason` tells them apart."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    CASES[reason](it)
    with pytest.raises(Refused) as refused:
        it.ask("merge", patch="one", ready=reason != "draft")
    assert (refused.value.code, refused.value.reason) == ("refused", reason)
    if reason != "hook":  # is asked when there is something to commit
        assert reason in [one["code"] for one in it.ask("patch.validate", patch="one")["blockers"]]
