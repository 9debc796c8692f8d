"""Every shape of a change that main can have, beside `git rebase --autostash` in a copy of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.actions.asking import Asking
from tests.conftest import git

Act = Callable[[Path], Any]


def replaced(path: Path, text: str | None = None, *, link: str | None = None) -> None:
    """A path as this file, or as a link; nothing of what was there is left."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if link is not None:
        os.symlink(link, path)
    elif text is not None:
        path.write_text(text)


def edited(root: Path, old: str = "line 9\n", new: str = "LINE 9\n") -> None:
    """One line of a.txt."""
    at = root / "a.txt"
    at.write_bytes(at.read_bytes().replace(old.rstrip("\n").encode(), new.rstrip("\n").encode(), 1))


def inside(root: Path) -> None:
    """A directory where a file was."""
    replaced(root / "x.sh")
    replaced(root / "x.sh" / "in.txt", "in\n")


THEIRS: dict[str, Act] = {
    "mode": lambda root: (root / "a.txt").chmod(0o755),
    "another link": lambda root: replaced(root / "link", link="x.sh"),
    "link to file": lambda root: replaced(root / "link", "now a file\n"),
    "file to link": lambda root: replaced(root / "x.sh", link="a.txt"),
    "file to directory": inside,
    "directory to file": lambda root: replaced(root / "src", "a file\n"),
    "deleted, with its directory": lambda root: replaced(root / "src" / "b.txt"),
    "renamed what is edited": lambda root: (root / "a.txt").rename(root / "renamed.txt"),
    "binary": lambda root: (root / "b.bin").write_bytes(b"\0b"),
    "odd names": lambda root: replaced(root / 'ü \t"x".txt', "x\n"),
    "beside the edit": lambda root: edited(root, "line 5\n", "line five\n"),
    "the same edit": edited,
    "line ends": lambda root: replaced(root / ".gitattributes", "*.txt text\n"),
}


def shown(root: Path) -> list[Any]:
    """Every file, link and directory, and the commits beyond main."""
    out: list[Any] = [git(root, "log", "--format=%T %an %s", "main..")]
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if {".git", ".gitsession"} & set(path.relative_to(root).parts):
            continue
        if path.is_symlink():
            out.append((name, os.readlink(path)))
        else:
            out.append((name, path.read_bytes(), path.stat().st_mode & 0o111) if path.is_file() else name)
    return out


@pytest.mark.soak
@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("shape", sorted(THEIRS))
def test_an_update_is_what_git_rebase_makes(repo: Path, tmp_path: Path, shape: str, committed: bool) -> None:
    """Files, links, modes, directories and commits are git's, and no edit is anybody's that was not made."""
    (repo / "x.sh").write_text("x\n")
    os.symlink("a.txt", repo / "link")
    (repo / "b.bin").write_bytes(b"\0a")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "more")
    it = Asking(repo)
    it.start()
    it.ask("patch.new", name="one")
    edited(repo)
    it.look()
    if committed:
        it.ask("commit", message="nine")
    side = tmp_path / "side"
    git(repo, "worktree", "add", "-q", "--detach", str(side), "main")
    THEIRS[shape](side)
    git(side, "add", "-A")
    git(side, "commit", "-qm", "theirs")
    git(side, "push", "-q", ".", "HEAD:main")
    git(repo, "worktree", "remove", "--force", str(side))
    copy = tmp_path / "copy"
    shutil.copytree(repo, copy, symlinks=True)
    subprocess.run(["git", "rebase", "-q", "--autostash", "main"], cwd=copy, check=True, capture_output=True)
    done = it.ask("session.update")
    assert done["updated"] and shown(repo) == shown(copy)
    assert git(repo, "status", "--porcelain") == git(copy, "status", "--porcelain")
    assert it.ask("unassigned")["unassigned"] == []
    there = shape == "the same edit"
    assert (it.status_of("one"), len(it.ask("patch.ops", patch="one")["ops"])) == (
        ("merged", int(committed)) if there else ("draft", 1)  # of one that landed elsewhere its own commits tell
    )
    it.desk.close()
