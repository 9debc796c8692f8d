"""I5 across the whole suite: around each command of the workbench, what it must not touch is looked at twice.

Files: inode, mtime and size of everything in the worktree but ``.gitsession/``. git's own: HEAD, index, config, the
branches and their logs. Commands that may move one of them are listed here as docs/cli.md lists them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

MAY_WRITE_FILES = {("restore",), ("update",), ("abandon", "--discard"), ("close", "--remove"), ("uninstall", "--hard")}
MAY_MOVE_GIT = {
    ("start",),
    ("commit",),
    ("patch", "ready"),
    ("merge",),
    ("revert",),
    ("update",),
    ("push",),
    ("close",),
    ("hooks", "install"),
    ("hooks", "uninstall"),
    ("uninstall", "--hard"),
}

MAY_MOVE_TRACKING = {("publish",)}  # as every `git push` does

Facts = dict[str, object]
watched = {"commands": 0}


def may(argv: Sequence[str], these: set[tuple[str, ...]]) -> bool:
    """Whether a command line is one of these commands; every word of an entry must be on it."""
    return any(set(words) <= set(argv) for words in these)


def files_of(root: Path) -> Facts:
    """Every file of the worktree that is the user's."""
    return files_below([root], lambda entry: entry.name in (".git", ".gitsession"))


def files_below(roots: Sequence[Path], left_out: Callable[[os.DirEntry[str]], bool]) -> Facts:
    """Every file that is not left out, nor below a directory that is."""
    found: Facts = {}
    stack = [str(root) for root in roots]
    while stack:
        for entry in os.scandir(stack.pop()):
            if left_out(entry):
                continue
            facts = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
            else:
                found[entry.path] = (facts.st_ino, facts.st_mtime_ns, facts.st_size, facts.st_mode)
    return found


def directories_of(root: Path) -> tuple[Path, Path] | None:
    """The worktree's own git directory and the common one; none outside of git.

    Read as gitrepository-layout(5) says where that is plain: a process each time would take as long as the command.
    """
    own = root / ".git"
    if own.is_file():
        own = root / os.fsdecode(own.read_bytes()).removeprefix("gitdir: ").rstrip("\n")
    if own.is_dir():
        above = own / "commondir"
        return own, own / os.fsdecode(above.read_bytes()).rstrip("\n") if above.is_file() else own
    done = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"], cwd=root, capture_output=True
    )
    if done.returncode:
        return None
    own, common = (Path(os.fsdecode(line)) for line in done.stdout.splitlines())
    return own, common


def git_of(directories: tuple[Path, Path] | None, tracking: bool) -> Facts:
    """HEAD, index, configuration and branches; ``tracking``: the remote-tracking ones too."""
    if directories is None:
        return {}
    own, common = directories
    found: Facts = {}
    for path in (own / "HEAD", own / "index", own / "logs" / "HEAD", common / "config", common / "packed-refs"):
        if path.exists():
            facts = path.stat()
            found[str(path)] = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
    for place in ("heads", "tags", *(["remotes"] if tracking else [])):
        for directory, _, names in os.walk(common / "refs" / place):
            for path in (Path(directory, name) for name in names if not name.endswith(".lock")):  # these come and go
                found[str(path)] = path.read_bytes()
    return found


class Watch:
    """Looks before and after one command."""

    def __init__(self, root: Path, argv: Sequence[str]) -> None:
        self.root, self.argv = root, argv
        self.files = None if may(argv, MAY_WRITE_FILES) else files_of(root)
        self.directories = None if may(argv, MAY_MOVE_GIT) else directories_of(root)
        self.tracking = not may(argv, MAY_MOVE_TRACKING)
        self.git = None if may(argv, MAY_MOVE_GIT) else git_of(self.directories, self.tracking)

    def check(self) -> None:
        """Fail when something changed that this command has no business with."""
        watched["commands"] += 1
        for name, before in (("files", self.files), ("git", self.git)):
            if before is None:
                continue
            after = files_of(self.root) if name == "files" else git_of(self.directories, self.tracking)
            changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
            assert not changed, f"git session {' '.join(self.argv)} changed {name} that are not its own: {changed[:5]}"
