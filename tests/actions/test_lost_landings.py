"""The target was rewritten, and what had landed on it is not there any more: a patch that needs it does not go alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitsessiond.faces.cli.updatelines import update_lines
from gitsessiond.model.errors import Refused
from tests.actions.asking import LINES, Asking

BOTH = LINES.replace("line 2\n", "LINE 2\nLINE 3\n")


@pytest.fixture
def it(repo: Path) -> Any:
    """A session with ``one`` merged, and ``upon``, which needs it, committed."""
    asking = Asking(repo)
    asking.start()
    asking.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    asking.ask("commit", message="two")
    asking.patch("upon", "a.txt", "LINE 2\n", "LINE 2\nLINE 3\n")
    asking.ask("commit", message="three", patch="upon")
    assert asking.merge("one")["merged"]
    yield asking
    asking.desk.close()


def test_the_dependent_is_refused_until_the_lost_one_lands_again(it: Asking) -> None:
    """To put it there alone would say in the history that the lost one is there too."""
    it.git("update-ref", "refs/heads/main", "main~1")
    it.move_target("kept.txt", "kept\n")
    main = it.rev("main")
    for dry_run in (False, True):
        with pytest.raises(Refused, match="upon depends on one, which main does not have any more") as refused:
            it.ask("merge", patch="upon", ready=True, dry_run=dry_run)
        assert refused.value.hint == "git session update"
    told = it.ask("patch.validate", patch="upon")["blockers"]
    assert any("does not have any more" in one["message"] for one in told)
    assert it.rev("main") == main
    assert it.ask("session.update")["updated"]
    assert it.status_of("one") == "draft"
    assert it.merge("one")["merged"] and it.merge("upon")["merged"]
    assert it.on_target("a.txt") == BOTH


def test_a_target_put_back_to_where_the_session_stands(it: Asking) -> None:
    """There is no commit to take in, and the lost patch is open again all the same; a dry run only says so."""
    it.git("update-ref", "refs/heads/main", "main~1")
    with pytest.raises(Refused, match="does not have any more"):
        it.merge("upon")
    note = "patch one is not in main any more: it is a draft again"
    assert it.ask("session.update", dry_run=True)["notes"] == [note]
    assert it.status_of("one") == "merged"
    done = it.ask("session.update")
    assert not done["updated"] and done["notes"] == [note], done
    assert update_lines(done) == ["x has all of main.", "Patch one is not in main any more: it is a draft again."]
    assert it.status_of("one") == "draft"
    assert it.merge("one")["merged"] and it.merge("upon")["merged"]
    assert it.on_target("a.txt") == BOTH and (it.root / "a.txt").read_text() == BOTH
    assert it.ask("session.update")["updated"] and (it.root / "a.txt").read_text() == BOTH


def test_a_dependency_that_the_target_has_by_other_commits_is_not_lost(it: Asking) -> None:
    """Squashed by somebody else: it is there."""
    it.git("update-ref", "refs/heads/main", "main~1")
    it.move_target("a.txt", LINES.replace("line 2\n", "LINE 2\n"))
    assert it.merge("upon")["merged"]
    assert it.on_target("a.txt") == BOTH
