"""A landing to try: a repository, a session's worktree, and a commit that wants to be on main."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gitsessiond.model.names import quote_path
from gitsessiond.store.identity import asker_env
from gitsessiond.store.intents import Intent
from gitsessiond.store.landing import How, Place
from gitsessiond.store.repository import Repository, open_repository
from tests.conftest import git

HOW = How(env=asker_env({}), why="merge P")
IDS = ("k" * 12, "l" * 12, "m" * 12)


def rev(repo: Path, name: str) -> str:
    return git(repo, "rev-parse", name).decode().strip()


def status(repo: Path) -> str:
    return git(repo, "status", "--porcelain", "--untracked-files=all").decode()


class Ready(NamedTuple):
    """main is checked out in ``repo`` at ``old``; ``new`` is to land."""

    repo: Path
    repository: Repository
    old: str
    new: str


def ready_landing(repo: Path, side: Path) -> Ready:
    """A landing that edits a.txt, adds new/n.txt, deletes README and makes src/b.txt executable."""
    git(repo, "worktree", "add", "-q", "-b", "session/x", str(side))
    (side / "a.txt").write_text((side / "a.txt").read_text().replace("line 5", "LINE FIVE"))
    (side / "new").mkdir()
    (side / "new" / "n.txt").write_text("new\n")
    (side / "README").unlink()
    (side / "src" / "b.txt").chmod(0o755)
    git(side, "add", "-A")
    git(side, "commit", "-q", "-m", "work")
    old, tip = rev(repo, "main"), rev(side, "HEAD")
    new = git(repo, "commit-tree", "-p", old, "-p", tip, "-m", "Merge", f"{tip}^{{tree}}").decode().strip()
    return Ready(repo, open_repository(str(side)), old, new)


def intent_of(old: str, new: str, place: Place | None) -> Intent:
    return Intent(
        id=IDS[0],
        session=IDS[1],
        patch=IDS[2],
        target="main",
        old=old,
        new=new,
        worktree=quote_path(place.worktree.encode()) if place else None,
        at=datetime.now(UTC),
        by="Ann <ann@example.org>",
    )


def everything(repo: Path) -> tuple[str, str, dict[str, bytes]]:
    """Branch, status, and every file's bytes."""
    files = {
        str(path.relative_to(repo)): path.read_bytes()
        for path in repo.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    return rev(repo, "main"), status(repo), files
