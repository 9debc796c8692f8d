"""What `git -c KEY=VALUE session ...` sets counts for that command, or is refused with words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions.context import Asked, Who
from gitsessiond.actions.merges import merge_patch
from gitsessiond.actions.merging import validate
from gitsessiond.actions.predicting import validate_patch
from gitsessiond.model.errors import BadRequest, Refused
from tests.actions.desk import Desk, numbered
from tests.conftest import git


@pytest.fixture
def desk(repo: Path) -> Desk:
    """Patch p with a commit, on main that is checked out in another worktree."""
    made = Desk(repo, worktree=True)
    made.patch("p")
    made.save("a.txt", numbered((2, "p 2")))
    made.commit_patch("p", "p 1")
    made.save("a.txt", numbered((2, "p 2"), (5, "p 5")))
    made.commit_patch("p", "p 2")
    return made


def asker(desk: Desk, *settings: str) -> Who:
    """Who types ``git -c SETTING...``: git itself hands them on in one variable."""
    words = " ".join("'{}'={}".format(*[one.partition("=")[0], f"'{one.partition('=')[2]}'"]) for one in settings)
    return Who(cwd=str(desk.root), env={"GIT_CONFIG_PARAMETERS": words})


def merge(desk: Desk, *settings: str) -> dict[str, Any]:
    who = asker(desk, *settings)
    return merge_patch(desk.ctx, desk.live, desk.named("p").id, who, ready=True, dry_run=False, no_verify=False)


def test_the_strategy(desk: Desk) -> None:
    assert merge(desk, "gitsession.merge=squash")["strategy"] == "squash"
    assert len(git(desk.repo, "rev-list", "--parents", "-1", "main").split()) == 2


def test_a_wrong_one_is_told_by_merge_and_validate(desk: Desk) -> None:
    with pytest.raises(BadRequest, match="no way to merge"):
        merge(desk, "gitsession.merge=octopus")
    asked = Asked("patch.validate", {"patch": "p"}, asker(desk, "gitsession.merge=octopus"))
    assert "no way to merge" in str(validate(desk.ctx, asked)["blockers"])
    assert "no way to merge" not in str(validate_patch(desk.ctx, desk.live, desk.named("p").id).blockers)


def test_hooks_that_lie_elsewhere(desk: Desk) -> None:
    """``core.hooksPath``: its commit-msg and post-merge run."""
    hooks = Path(os.environ["HOME"]) / "hooks"
    hooks.mkdir()
    for name, line in (("commit-msg", 'echo "Seen: yes" >> "$1"'), ("post-merge", f"echo > {hooks}/ran")):
        (hooks / name).write_text(f"#!/bin/sh\n{line}\n")
        (hooks / name).chmod(0o755)
    assert merge(desk, f"core.hooksPath={hooks}")["merged"]
    assert b"Seen: yes" in git(desk.repo, "log", "-1", "--format=%B", "main") and (hooks / "ran").exists()


def test_a_signature(desk: Desk) -> None:
    """``commit.gpgSign``: by the user's program, as for any commit."""
    program = Path(os.environ["HOME"]) / "sign"
    program.write_text('#!/bin/sh\ncat >/dev/null\necho "[GNUPG:] SIG_CREATED " >&2\necho signed\n')
    program.chmod(0o755)
    assert merge(desk, "commit.gpgSign=true", f"gpg.program={program}")["merged"]
    assert b"gpgsig signed" in git(desk.repo, "cat-file", "commit", "main")


@pytest.mark.parametrize("setting", ["true", "false"])
def test_submodules(desk: Desk, repo: Path, setting: str) -> None:
    """``submodule.recurse``: the submodule's files follow, or stay."""
    inner = repo.parent / "inner"
    git(repo.parent, "init", "-q", "inner")
    for text in ("1", "2"):
        (inner / "f").write_text(text)
        git(inner, "add", "f")
        git(inner, "commit", "-q", "-m", text)
    git(repo, "submodule", "add", "-q", str(inner), "sub")
    git(repo / "sub", "checkout", "-q", "HEAD~1")
    git(repo, "add", "sub")
    git(repo, "commit", "-q", "-m", "sub")
    git(repo, "config", "submodule.recurse", "true" if setting == "false" else "false")
    desk.git("-c", "submodule.recurse=false", "rebase", "-q", "main")
    git(desk.root, "-c", "submodule.recurse=false", "submodule", "update", "-q", "--init")
    git(desk.root / "sub", "checkout", "-q", "master", check=False)
    git(desk.root / "sub", "checkout", "-q", "main", check=False)
    desk.look()
    assert merge(desk, f"submodule.recurse={setting}")["merged"]
    assert (repo / "sub" / "f").read_text() == ("2" if setting == "true" else "1")


@pytest.mark.parametrize("key", ["merge.renames", "merge.mine.driver", "diff.renames", "core.attributesFile"])
def test_how_files_merge_is_refused(desk: Desk, key: str) -> None:
    tip = desk.head("main")
    with pytest.raises(Refused, match="cannot be set for one merge"):
        merge(desk, f"{key}=false")
    assert desk.head("main") == tip
    assert merge(desk, "merge.conflictStyle=zdiff3", "merge.ff=false")["merged"]
