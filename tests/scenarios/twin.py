"""What git alone makes of a story: the same acts of a person in a copy that never heard of us, told beside it."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import Result

OURS = (".git", ".gitsession")
TOLD = re.compile(r"^[0-9a-f]{7}: [^\n]*\b(?:to|unassigned|edits?)\b[^\n]*\n", re.MULTILINE)  # by our post-commit hook
QUERIES = {"show", "rev-parse", "ls-tree", "cat-file", "log", "fsck", "for-each-ref", "diff"}
SAYINGS = (
    ("status", "--porcelain=v2", "--branch", "--show-stash"),
    ("ls-files", "-s", "-t"),
    ("stash", "list", "--format=%gd %H %gs"),
    ("log", "-g", "--format=%H %gd %gs", "HEAD"),
    ("worktree", "list", "--porcelain"),
    ("for-each-ref", "--format=%(refname) %(objectname) %(symref) %(upstream)"),
)
STATES = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "BISECT_START", "index.lock")


class Twin:
    """The copy of a stage's ground; ``home`` is in it what ``ground`` is in the told one."""

    def __init__(self, ground: Path, home: Path, kept: Path) -> None:
        self.ground, self.home = ground, home
        self.took_over = False
        if home.exists():
            shutil.rmtree(home)
        shutil.copytree(kept, home, symlinks=True)
        self.others: list[tuple[Path, Path]] = []

    def also(self, real: Path, here: Path) -> None:
        """Another directory in which the story may happen."""
        here.mkdir(exist_ok=True)
        self.others.append((real, here))

    @property
    def places(self) -> list[tuple[Path, Path]]:
        return [(self.ground, self.home), *self.others]

    def at(self, path: Path) -> Path:
        """Where that is here."""
        for real, here in self.places:
            if path.is_relative_to(real):
                return here / path.relative_to(real)
        return path

    def words(self, text: str) -> str:
        """A word of a command line, with the paths of here."""
        for real, here in self.places:
            text = text.replace(str(real), str(here))
        return text

    def follow(self, root: Path) -> None:
        """Take over what was written by hand outside of git and of ``root``: other worktrees, scripts, patches."""
        for real, here in self.places:
            for path in files_below(real):
                if not path.is_relative_to(root):
                    other = here / path.relative_to(real)
                    if not other.exists() or not filecmp.cmp(path, other, shallow=False):
                        other.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy2(path, other)
            for other in list(here.iterdir()) if here.exists() else []:
                if other.is_dir() and not (real / other.name).exists():
                    shutil.rmtree(other)
        index = root / ".git" / "index"
        if (root / ".git").is_dir() and not index.exists() and self.at(index).exists():
            self.at(index).unlink()

    def git(self, root: Path, *args: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        """The same command here; what it said, with the paths of there."""
        words = [self.words(str(word)) for word in args]
        done = subprocess.run(["git", *words], cwd=self.at(root), input=stdin, capture_output=True)
        return said(Result(done), [(here, real) for real, here in self.places])

    def write(self, path: Path, text: str | None) -> None:
        here = self.at(path)
        if text is None:
            here.unlink()
        else:
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_text(text)

    def hook(self, root: Path, name: str, text: str) -> None:
        put_hook(self.at(root) / ".git/hooks" / name, text)

    def take_over(self, root: Path) -> None:
        """After a command of ours that moves the user's branches and files: they are so here too, the index with them."""
        self.took_over, here = True, self.at(root)
        run(here, "fetch", "-q", "--no-write-fetch-head", "--update-head-ok", str(root), "+refs/heads/*:refs/heads/*")
        run(here, "read-tree", "HEAD")
        for path in files_below(root):
            shutil.copy2(path, here / path.relative_to(root))
        run(here, "update-index", "-q", "--refresh", check=False)

    def seen(self, root: Path) -> dict[str, Any]:
        return seen(self.at(root), [(here, real) for real, here in self.places])


def seen(root: Path, places: list[tuple[Path, Path]]) -> dict[str, Any]:
    """All that a person sees of a repository from a worktree, but what is ours."""
    found: dict[str, Any] = {}
    for words in SAYINGS:
        done = Result(subprocess.run(["git", "--no-optional-locks", *words], cwd=root, capture_output=True))
        code, out, _ = said(done, places)
        lines = [line for line in out.splitlines() if not line.startswith("refs/gitsession/")]
        found[" ".join(words[:2])] = (code, lines)
    git_dir = Path(run(root, "rev-parse", "--absolute-git-dir").strip())
    found["under way"] = [name for name in STATES if (git_dir / name).exists()]
    found["files"] = {str(path.relative_to(root)): path.read_bytes() for path in files_below(root)}
    return found


def said(done: Result, places: list[tuple[Path, Path]]) -> tuple[int, str, str]:
    """What a command said, in the paths that go for both, without the line of our hook."""
    out, err = done.out, TOLD.sub("", done.err)
    for here, real in places:
        out, err = out.replace(str(here), str(real)), err.replace(str(here), str(real))
    return done.code, out, err


def forget_us(root: Path) -> None:
    """Make a repository one that never heard of us."""
    ours = run(root, "for-each-ref", "--format=delete %(refname)", "refs/gitsession")
    subprocess.run(["git", "update-ref", "--stdin"], cwd=root, input=ours.encode(), check=True)
    shutil.rmtree(root / ".git/gitsession")
    shutil.rmtree(root / ".gitsession", ignore_errors=True)
    for path in (root / ".git").glob("gitsession*"):
        path.unlink()
    exclude = root / ".git/info/exclude"
    exclude.write_text("".join(line for line in exclude.open() if "gitsession" not in line))


def put_hook(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def files_below(top: Path) -> Iterator[Path]:
    """Every file of a person's, in order."""
    for directory, names, files in os.walk(top):
        names[:] = sorted(name for name in names if name not in OURS and not name.endswith(".git"))
        if "HEAD" in files and "objects" in names:
            names.clear()
            continue  # a bare repository
        yield from (Path(directory, name) for name in sorted(files) if name not in OURS)


def run(root: Path, *args: str, check: bool = True) -> str:
    return subprocess.run(["git", *args], cwd=root, check=check, capture_output=True, text=True).stdout
