"""Names that are not UTF-8: of paths, people and branches. Records are UTF-8 and spell them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitsessiond.model.errors import BadRequest
from tests.actions.asking import Asking
from tests.conftest import git

LATIN = os.fsdecode(b"lat\351")


def test_a_clash_in_a_path_of_latin_letters(repo: Path) -> None:
    """The record spells the path as git quotes it, in what git said too, and is resolved as any other."""
    (repo / LATIN).write_text("a\nb\nc\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "latin")
    it = Asking(repo)
    it.start()
    it.patch("one", LATIN, "b\n", "theirs\n")
    it.move_target(LATIN, "a\nours\nc\n")
    it.ask("patch.ready", patch="one")
    for verb in ("session.update", "merge"):
        (conflict,) = it.ask(verb, **({"patch": "one"} if verb == "merge" else {}))["conflicts"]
        assert conflict["path"] == '"lat\\351"'
        assert conflict["message"] == 'CONFLICT (content): Merge conflict in "lat\\351"'
    it.ask("resolve", id=conflict["id"], how="ours")
    assert it.merge("one")["merged"]
    it.desk.close()


def test_a_person_of_latin_letters(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in an old encoding is kept as far as it is UTF-8; commits have git's own bytes."""
    git(repo, "config", "user.name", os.fsdecode(b"Ren\351"))
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.delenv(name, raising=False)
    it = Asking(repo)
    it.start()
    assert it.ask("session.status")["session"]["created_by"].startswith("Ren\ufffd <")
    it.desk.close()


def test_a_branch_of_latin_letters_is_no_target(repo: Path) -> None:
    """Nothing is made; the branch is named."""
    git(repo, "switch", "-qc", LATIN)
    it = Asking(repo)
    with pytest.raises(BadRequest, match=r'the branch "lat\\351" has a name that is not UTF-8') as caught:
        it.start()
    assert caught.value.hint == "git branch -m NAME"
    assert git(repo, "for-each-ref", "refs/heads/session") == b""
    it.desk.close()
