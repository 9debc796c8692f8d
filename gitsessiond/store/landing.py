"""Moving a target branch to a landing commit, and the files of the worktree that has it checked out.

The order keeps every crash repairable (docs/decisions/landing.md has the table and what was tried instead):

1. find who has the target checked out; refuse what git could not finish there;
2. look whether files are in the way, ignored ones too (``read-tree`` overwrites those silently);
3. write the intent;
4. ``update-ref --stdin``: prepare. Target and HEAD are locked and compared; moved meanwhile, nothing happens;
5. ``read-tree -m -u OLD NEW``: git checks everything before it writes anything. Refused because a file was
   merely touched: the index is refreshed, and again;
6. ``update-ref``: commit;
7. the post-merge hook, whose result is only told.

A target that is checked out nowhere needs 3, 4 and 6 only. Children run in the worktree, in process groups of
their own; their environment names the landing, so that :mod:`gitsessiond.store.resuming` finds survivors.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from shlex import quote

from gitsessiond.model.errors import GitSessionError, Moved, Refused, StoreFailed
from gitsessiond.model.names import quote_path
from gitsessiond.model.values import Change, Entry
from gitsessiond.store.git import KeptGit, run_git, run_with_hooks
from gitsessiond.store.head import branch_tip, read_head
from gitsessiond.store.intents import Intent, forget_intent, write_intent
from gitsessiond.store.refs import RefMove, move_refs
from gitsessiond.store.repository import Repository, worktrees

MARK = "GITSESSIOND_LANDING"  # environment variable of our children: the intent's id
UNDER_WAY = frozenset({"MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "sequencer"})
# What read-tree says before it writes any file (git's unpack-trees.c); in other words it failed midway.
BEFORE_WRITING = re.compile(
    rb"index\.lock|not uptodate|would be overwritten|would be removed|would lose|overlaps with|resolve your"
)
PATIENCE = 1.0  # seconds for a ref or an index that another git holds (core.filesRefLockTimeout is 0.1)


class Unfinished(StoreFailed):
    """A landing stopped between the files and the target; its intent is kept."""


@dataclass(frozen=True)
class Place:
    """The worktree that has a target checked out."""

    worktree: str
    git_dir: str


@dataclass(frozen=True)
class How:
    """Who lands, as git children are to know it."""

    env: Mapping[str, str]  # see identity.asker_env
    why: str  # one line for the reflogs
    submodules: bool = False  # the user's submodule.recurse
    hook: bool = True  # there is a post-merge hook
    squash: bool = False  # what that hook is told
    check: Callable[[], None] = lambda: None  # raises GitSessionError where the target must not move; asked last


def find_place(repository: Repository, target: str) -> Place | None:
    """The worktree with ``target`` checked out; None: no worktree has it.

    Raises:
        Refused: several have it, it is being rebased, or git is in the middle of something there.
    """
    found = []
    for git_dir in _git_dirs(repository.common_dir):
        if read_head(git_dir, repository.common_dir).stands_on != target:
            continue
        worktree = _worktree_of(repository, git_dir)
        if worktree is None:
            continue
        if os.path.isdir(worktree):
            found.append(Place(worktree, git_dir))
        elif os.path.exists(os.path.join(git_dir, "locked")):
            # its disk is away for now: once back, its files would look like the landing undone
            raise Refused(
                f"{target} is checked out in {worktree}, which is locked and not there",
                hint=f"git worktree unlock {quote(worktree)}",
                reason="target",
            )
    if len(found) > 1:
        places = " and ".join(place.worktree for place in found)
        hint = "git switch --detach in one of them"
        raise Refused(f"{target} is checked out twice: {places}", hint=hint, reason="target")
    if not found:
        return None
    _refuse_under_way(found[0], target, repository.common_dir)
    return found[0]


def _git_dirs(common_dir: str) -> list[str]:
    """The git directory of every worktree, the main one's first."""
    home = os.path.join(common_dir, "worktrees")
    linked = sorted(os.listdir(home)) if os.path.isdir(home) else []
    return [common_dir, *(os.path.join(home, name) for name in linked)]


def _worktree_of(repository: Repository, git_dir: str) -> str | None:
    """Where the files of a git directory are (gitrepository-layout(5), ``gitdir``); None: bare."""
    if git_dir == repository.common_dir:
        main = worktrees(repository)[0]
        return None if main.bare else main.path
    with open(os.path.join(git_dir, "gitdir"), "rb") as file:
        pointer = os.fsdecode(file.read()).rstrip("\n")
    return os.path.dirname(os.path.join(git_dir, pointer))


def _refuse_under_way(place: Place, target: str, common_dir: str) -> None:
    head = read_head(place.git_dir, common_dir)
    if head.rebasing is not None:
        raise Refused(
            f"{target} is being rebased in {place.worktree}",
            hint=f"git -C {quote(place.worktree)} rebase --continue",
            reason="git_at_work",
        )
    busy = sorted(head.at_work & UNDER_WAY)
    if busy:
        raise Refused(
            f"git is in the middle of something in {place.worktree} ({', '.join(busy)})",
            hint=f"git -C {quote(place.worktree)} status",
            reason="git_at_work",
        )


def check_place(place: Place, changes: Iterable[Change]) -> None:
    """Look for files that git would overwrite although it does not know them; writes nothing.

    ``changes`` are those of the landing. What git knows and would refuse, it refuses by itself in time.

    Raises:
        Refused: something there is in the way; it is named.
    """
    blocked = in_the_way(place.worktree, changes)
    if blocked:
        names = ", ".join(quote_path(path) for path in blocked[:5])
        first = os.path.join(place.worktree, os.fsdecode(blocked[0]))
        raise Refused(
            f"{names} in {place.worktree} is in the way and not in git",
            hint=shlex.join(["mv", "--", first, f"{first}.aside"]),
            reason="in_the_way",
        )


def changed_paths(place: Place, old: str, new: str) -> list[Change]:
    """What differs between two commits, by path."""
    words = ["diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", old, new]
    fields = run_git(words, cwd=place.worktree).out.split(b"\0")
    out = []
    for facts, path in zip(fields[::2], fields[1::2], strict=False):
        modes_and_oids = facts[1:].decode("ascii").split(" ")
        sides = [
            Entry(int(mode, 8), oid) if oid.strip("0") or mode.strip("0") else None
            for mode, oid in zip(modes_and_oids[:2], modes_and_oids[2:4], strict=True)
        ]
        out.append(Change(path, sides[0], sides[1]))
    return out


def in_the_way(worktree: str, changes: Iterable[Change]) -> list[bytes]:
    """Files on disk, known to git or not, at paths that the landing adds or at directories above them."""
    changes = list(changes)
    removed = {change.path for change in changes if change.after is None}
    root, out = os.fsencode(worktree), []
    for change in changes:
        if change.before is None:
            found = _blocking(root, change.path, removed)
            if found is not None and found not in out:
                out.append(found)
    return out


def _blocking(root: bytes, path: bytes, removed: set[bytes]) -> bytes | None:
    """What is in the way of a new file; None: nothing. What the landing itself removes does not count."""
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        at = b"/".join(parts[:depth])
        full = os.path.join(root, at)
        if not os.path.lexists(full):
            return None
        if os.path.isdir(full) and not os.path.islink(full):
            continue
        return None if at in removed else at
    for directory, _, names in os.walk(os.path.join(root, path)):
        for name in names:
            below = os.path.relpath(os.path.join(directory, name), root)
            if below not in removed:
                return below
    return None


def mover(repository: Repository, place: Place | None, how: How, mark: str) -> KeptGit:
    """The git that moves the target. Started before it is needed; it locks nothing until it is told to.

    ``mark``: the id of the intent.
    """
    words = ["-c", "core.fsync=all", "update-ref", "-m", how.why, "--stdin", "-z"]
    env = {**how.env, MARK: mark}
    if place is None:
        refs = KeptGit(words, git_dir=repository.common_dir, env=env)
    else:
        refs = KeptGit(words, cwd=place.worktree, env=env)
    refs.start()
    return refs


def land(repository: Repository, intent: Intent, place: Place | None, how: How, refs: KeptGit | None = None) -> str:
    """Steps 3 to 7; returns what the post-merge hook said. The intent stays until its step is recorded.

    ``refs``: the :func:`mover`, if it was started already; it has ended afterwards.

    Raises:
        Moved: the target is no longer at ``intent.old``; nothing has moved.
        Locked: somebody has locked the target; nothing has moved.
        Refused: the files in the way changed since :func:`check_place`; nothing has moved.
        Unfinished: git failed between files and target; :mod:`gitsessiond.store.resuming` goes on from there.
        StoreFailed: git or the disk refused, or another git holds the target; nothing has moved.
    """
    write_intent(repository.state_dir, intent)
    try:
        return move_target(repository, intent, place, how, refs)
    except Unfinished:
        raise
    except GitSessionError:
        forget_intent(repository.state_dir, intent)
        raise


def move_target(
    repository: Repository, intent: Intent, place: Place | None, how: How, refs: KeptGit | None = None
) -> str:
    """Steps 4 to 7 of an intent that is on the disk; raises as :func:`land`."""
    env = {**how.env, MARK: intent.id}
    with refs or mover(repository, place, how, intent.id) as moving:
        if place is None:
            how.check()
            if not _moved_at_once(repository, moving, intent):
                moves = [RefMove(f"refs/heads/{intent.target}", intent.old, intent.new)]
                move_refs(repository.common_dir, moves, how.why, env=env)  # says why, or waits for who holds it
            return ""
        _prepare(repository, moving, intent)
        how.check()
        _move_files(place, intent, how, env)
        try:
            moving.ask(b"commit\0", 1, end=b"\n")
        except StoreFailed as exc:
            raise Unfinished(f"{intent.target} could not be moved: {exc.message}", hint=exc.hint) from exc
    return _run_hook(place, env, "1" if how.squash else "0") if how.hook else ""


def _run_hook(place: Place, env: Mapping[str, str], squash: str) -> str:
    """Step 7. The landing is done, whatever the hook makes of it."""
    try:
        words = ["hook", "run", "--ignore-missing", "post-merge", "--", squash]
        return run_with_hooks(words, cwd=place.worktree, env=env).words()
    except StoreFailed as exc:
        return exc.message


def _asked_to_prepare(intent: Intent) -> bytes:
    """What tells update-ref to lock the target where ``intent.old`` is; it answers with two lines."""
    name = os.fsencode(f"refs/heads/{intent.target}")
    return b"start\0update %s\0%s\0%s\0prepare\0" % (name, intent.new.encode(), intent.old.encode())


def _moved_at_once(repository: Repository, refs: KeptGit, intent: Intent) -> bool:
    """Move a target that is checked out nowhere; whether it is moved."""
    try:
        refs.ask(_asked_to_prepare(intent) + b"commit\0", 3, end=b"\n")
    except StoreFailed:
        return branch_tip(repository.common_dir, intent.target) == intent.new
    return True


def _prepare(repository: Repository, refs: KeptGit, intent: Intent) -> None:
    """Lock the target (and HEAD) where ``intent.old`` is; a lock held by another git is waited for."""
    told = _asked_to_prepare(intent)
    until, pause = time.monotonic() + PATIENCE, 0.01
    while True:
        try:
            refs.ask(told, 2, end=b"\n")
            return
        except StoreFailed:
            if branch_tip(repository.common_dir, intent.target) != intent.old:
                raise Moved(f"{intent.target} moved meanwhile", hint="run the command again") from None
            if time.monotonic() > until:
                raise StoreFailed(
                    f"git would not lock {intent.target}: another git holds it, or a hook refused",
                    hint=shlex.join(["ls", "-l", f"{repository.common_dir}/refs/heads/{intent.target}.lock"]),
                ) from None
        time.sleep(pause)
        pause *= 2  # a reference-transaction hook that refuses is not asked a hundred times


def _move_files(place: Place, intent: Intent, how: How, env: Mapping[str, str]) -> None:
    """Step 5; an index that another git holds is waited for."""
    recurse = ["--recurse-submodules"] if how.submodules else []
    words = ["read-tree", "-m", "-u", *recurse, intent.old, intent.new]
    until = time.monotonic() + PATIENCE
    refreshed = False
    while True:
        told = run_git(words, cwd=place.worktree, env=env, check=False)
        if told.code == 0:
            return
        if not BEFORE_WRITING.search(told.err):
            raise Unfinished(f"the files in {place.worktree} could not be moved: {told.words()}")
        if b"not uptodate" in told.err and not refreshed:
            run_git(["update-index", "-q", "--refresh"], cwd=place.worktree, env=env, check=False)
            refreshed = True
            continue
        if b"index.lock" not in told.err or time.monotonic() > until:
            raise Refused(
                f"the files in {place.worktree} are not as {intent.old[:7]} has them: {told.words()}",
                hint=shlex.join(["git", "-C", place.worktree, "status"]),
                reason="in_the_way",
            )
        time.sleep(0.02)
