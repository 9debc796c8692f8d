"""A worktree of ours for one run of the user's check: made at a tree, and gone afterwards whatever happens.

It lies where temporary files do, not in the git directory, where test runners do not look. HEAD is detached at the
target's commit and the index holds the merged tree, as while ``git merge`` runs its pre-merge-commit hook. What it
is and which processes run in it stands in a file below ``gitsession/checks`` that its maker keeps locked: whoever can
lock that file knows that the maker is gone, and clears away after it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable
from typing import Any

from gitsessiond.model.errors import disk_refused
from gitsessiond.store.git import run_git
from gitsessiond.store.processes import read_process
from gitsessiond.store.repository import Repository

CHECKS = "checks"
BEGINNING = "gitsession-check-"


class Checkout:
    """A worktree at a tree, and the note of it; :meth:`remove` ends both."""

    def __init__(self, repository: Repository) -> None:
        """Note what is about to be made.

        Raises:
            StoreFailed: the disk refused.
        """
        self._common_dir = repository.common_dir
        notes = os.path.join(repository.state_dir, CHECKS)
        try:
            os.makedirs(notes, mode=0o700, exist_ok=True)
            self._file, self._note = locked_note(notes)
            home = os.path.join(tempfile.gettempdir(), BEGINNING + os.path.basename(self._note))
            self._facts: dict[str, Any] = {"home": home}
            self._write_note()
            os.mkdir(home, 0o700)
        except OSError as exc:
            raise disk_refused("no worktree can be made for the check", exc) from exc
        self.path = os.path.join(home, os.path.basename(repository.worktree) or "check")

    def fill(self, target: str, tree: str) -> None:
        """Check the tree out, by git, with filters and line ends as the user has them.

        Raises:
            StoreFailed: git or the disk refused.
        """
        words = ["worktree", "add", "--quiet", "--detach", "--no-checkout", self.path, target]
        run_git(words, git_dir=self._common_dir)
        run_git(["read-tree", "-u", "--reset", tree], cwd=self.path, timeout=None)

    def note_leader(self, pid: int) -> None:
        """Note the process whose group is to be ended with the worktree."""
        self._facts |= {"leader": pid, "started": started_at(pid)}
        self._write_note()

    def _write_note(self) -> None:
        data = json.dumps(self._facts).encode("ascii")
        os.pwrite(self._file, data, 0)
        os.ftruncate(self._file, len(data))

    def remove(self) -> None:
        """End what runs in it, remove the worktree and the note."""
        clear_away(self._common_dir, self._facts)
        os.unlink(self._note)
        os.close(self._file)


def locked_note(notes: str) -> tuple[int, str]:
    """A new note and its descriptor, locked; one that was swept before it was locked is made anew."""
    while True:
        file, path = tempfile.mkstemp(prefix="", dir=notes)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file, path
        os.close(file)


def sweep_checks(repository: Repository) -> None:
    """Clear away after those who made such worktrees and were killed."""
    notes = os.path.join(repository.state_dir, CHECKS)
    try:
        names = os.listdir(notes)
    except FileNotFoundError:
        return
    for name in names:
        path = os.path.join(notes, name)
        try:
            with open(path, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                facts = facts_of(file.read())
                clear_away(repository.common_dir, facts)
                os.unlink(path)
        except OSError:
            continue  # at work, or gone


def facts_of(data: bytes) -> dict[str, Any]:
    """What a note says; nothing if its maker was killed before it said anything."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def clear_away(common_dir: str, facts: dict[str, Any]) -> None:
    """Kill the processes of a check, and remove its worktree and what git keeps of that."""
    leader = facts.get("leader")
    if isinstance(leader, int) and facts.get("started") == started_at(leader) is not None:
        kill_group(leader)
    home = facts.get("home")
    if isinstance(home, str) and os.path.basename(home).startswith(BEGINNING):
        remove_tree(home)
        for git_dir in linked_below(common_dir, home):
            remove_tree(git_dir)


def linked_below(common_dir: str, home: str) -> list[str]:
    """What git keeps of worktrees below a directory (gitrepository-layout(5), ``worktrees/<id>/gitdir``)."""
    found = []
    kept = os.path.join(common_dir, "worktrees")
    for name in os.listdir(kept) if os.path.isdir(kept) else ():
        try:
            with open(os.path.join(kept, name, "gitdir"), "rb") as file:
                at = os.fsdecode(file.read(8192))
        except OSError:
            continue  # half-made by somebody else, or gone
        if at.startswith((home + os.sep, os.path.realpath(home) + os.sep)):
            found.append(os.path.join(kept, name))
    return found


def kill_group(leader: int) -> None:
    """Kill a process and those it started, but for what left its group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended


def started_at(pid: int) -> str | None:
    """When a process began, so that it is not taken for a later one; None: it is gone."""
    try:
        return read_process(pid).began
    except OSError:
        return None


def remove_tree(path: str) -> None:
    """Remove a directory; one that a tool made read-only is made writable first. What cannot go stays."""

    def again(act: Callable[..., Any], at: str, why: Any) -> None:
        try:
            for one in (os.path.dirname(at), at):
                if not os.path.islink(one):
                    os.chmod(one, stat.S_IRWXU)
            act(at)
        except OSError:
            pass  # another user's, as a container leaves them

    shutil.rmtree(path, onerror=again)
