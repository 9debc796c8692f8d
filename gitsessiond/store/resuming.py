"""What a crash left of a landing, put right: finished when it had begun to write, dropped when it had not.

The table, by where the crash was (docs/decisions/landing.md):

- before the files: nothing moved. Drop the intent.
- among the files: some are new, one may be missing or cut short, ``index.lock`` stays. Write what is missing,
  put the new ones into the index, land again.
- after the files, before the target: everything looks staged. Land again; git does not mind the second time.
- after the target: landed. Only the record is missing.
- the target went elsewhere, or a file is neither old nor new: it is the user's. Stop, and say so.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from gitsessiond.model.errors import GitSessionError, Moved, Refused, StoreFailed
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.values import EXECUTABLE, GITLINK, SYMLINK, ZERO_OID, Change, Entry
from gitsessiond.store.chain import CommitGraph
from gitsessiond.store.git import run_git
from gitsessiond.store.head import branch_tip
from gitsessiond.store.intents import Intent
from gitsessiond.store.landing import MARK, How, Place, changed_paths, find_place, move_target
from gitsessiond.store.objects import oid_of
from gitsessiond.store.repository import Repository

PATIENCE = 5.0  # seconds for children of ours that outlived a killed daemon
CLOCK_SLACK = 2.0  # seconds; file systems round times

READERS = frozenset(
    b"cat-file log show diff blame status ls-files rev-parse check-ignore check-attr grep fsmonitor--daemon".split()
)

On = Literal["old", "new", "partial", "other"]


class Settled(NamedTuple):
    """What became of an intent. ``busy``: a git is at work there; ask again later."""

    outcome: Literal["landed", "dropped", "stopped", "busy"]
    words: str = ""


def settle_intent(repository: Repository, intent: Intent, how: How) -> Settled:
    """Put right what a crash left of ``intent``; the caller records the outcome and then forgets the intent.

    Raises:
        StoreFailed: git or the disk refused before anything was done; it can be asked again.
    """
    tip = branch_tip(repository.common_dir, intent.target)
    if tip is not None and CommitGraph(repository.common_dir).within(intent.new, tip):
        return Settled("landed")
    if not _git_is_done(repository, intent):
        return Settled("busy", f"git is at work on {intent.target}")
    place = _place_of(repository, intent)
    _remove_locks(repository, intent, place)
    if tip != intent.old:
        return Settled("dropped", f"{intent.target} moved meanwhile") if place is None else _left(place, intent)
    if place is None:
        return Settled("dropped")
    return _finish_files(repository, intent, place, how)


def _place_of(repository: Repository, intent: Intent) -> Place | None:
    """The worktree the intent names, while it still has the target checked out."""
    if intent.worktree is None:
        return None
    try:
        place = find_place(repository, intent.target)
    except GitSessionError:
        return None  # the user went on there: their files are theirs
    wanted = os.fsdecode(unquote_path(intent.worktree))
    return place if place is not None and place.worktree == wanted else None


# -- who is at work ----------------------------------------------------------------------------------------


def _git_is_done(repository: Repository, intent: Intent) -> bool:
    """Wait a little for git processes of this landing, or of somebody else in its worktree, to end."""
    until = time.monotonic() + PATIENCE
    while _git_at_work(repository, intent):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _git_at_work(repository: Repository, intent: Intent) -> bool:
    """Whether a git that may hold a lock runs; where there is no /proc, nothing can be told."""
    mark = b"%s=%s" % (MARK.encode(), intent.id.encode())
    places = [repository.common_dir] + ([os.fsdecode(unquote_path(intent.worktree))] if intent.worktree else [])
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return False
    return any(_is_at_work(f"/proc/{number}", mark, places) for number in numbers)


def _is_at_work(process: str, mark: bytes, places: Iterable[str]) -> bool:
    """Whether a process is a child of this landing, or a git that writes in one of these directories."""
    try:
        with open(f"{process}/environ", "rb") as file:
            if mark in file.read().split(b"\0"):
                return True
        with open(f"{process}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        if os.path.basename(words[0]) != b"git" or READERS & set(words[1:]):
            return False
        at = os.readlink(f"{process}/cwd")
    except OSError:
        return False  # it ended, or is another user's
    return any(at == place or at.startswith(place + "/") for place in places)


def _remove_locks(repository: Repository, intent: Intent, place: Place | None) -> None:
    """Remove the locks this landing left: those made since its intent, while no git is at work."""
    locks = [os.path.join(repository.common_dir, "refs", "heads", intent.target + ".lock")]
    if place is not None:
        locks += [os.path.join(place.git_dir, name) for name in ("HEAD.lock", "index.lock")]
    since = intent.at.timestamp() - CLOCK_SLACK
    for lock in locks:
        try:
            if os.lstat(lock).st_mtime >= since:
                os.unlink(lock)
        except FileNotFoundError:
            continue


# -- the files ---------------------------------------------------------------------------------------------


def _left(place: Place, intent: Intent) -> Settled:
    """The target went elsewhere: say which files of the landing are still there, and touch none."""
    changes = changed_paths(place, intent.old, intent.new)
    states = states_on_disk(place, intent.new, changes)
    odd = [quote_path(path) for path, state in states.items() if state in ("new", "partial")]
    if not odd:
        return Settled("dropped", f"{intent.target} moved meanwhile")
    return Settled(
        "stopped",
        f"{intent.target} moved while a merge into it was cut off; files of that merge are left in "
        f"{place.worktree}: {', '.join(odd[:5])}; `git -C {place.worktree} status` shows them",
    )


def _finish_files(repository: Repository, intent: Intent, place: Place, how: How) -> Settled:
    """The target did not move: drop the landing if no file did either, else finish it."""
    changes = changed_paths(place, intent.old, intent.new)
    staged = _staged(place, changes)
    # A path of a sparse checkout is in the index only.
    states = states_on_disk(place, intent.new, [one for one in changes if not staged[one.path].sparse])
    if any(staged[change.path].entry != change.after for change in changes):
        begun = {path for path, state in states.items() if state in ("new", "partial")}
        if not begun:
            return Settled("dropped")
        foreign = [quote_path(path) for path, state in states.items() if state == "other"]
        if foreign:
            return Settled(
                "stopped",
                f"a merge into {intent.target} was cut off and {', '.join(foreign[:5])} in {place.worktree} "
                f"changed since; `git -C {place.worktree} status` shows what is there",
            )
        _complete(place, [change for change in changes if change.path in begun], states)
    try:
        move_target(repository, intent, place, how)
    except Moved:
        return _left(place, intent)
    except Refused as exc:
        return Settled("stopped", f"a merge into {intent.target} was cut off: {exc.message}")
    except StoreFailed as exc:
        return Settled("busy", exc.message)
    return Settled("landed")


class _Staged(NamedTuple):
    """What the index has at a path; ``sparse``: it is not to be on disk."""

    entry: Entry | None = None
    sparse: bool = False


def _staged(place: Place, changes: Iterable[Change]) -> dict[bytes, _Staged]:
    """The index at the paths of a landing."""
    found = {change.path: _Staged() for change in changes}
    for line in run_git(["ls-files", "-s", "-t", "-z"], cwd=place.worktree).out.split(b"\0"):
        facts, _, path = line.partition(b"\t")
        if path in found:
            tag, mode, oid, _ = facts.decode("ascii").split(" ")
            found[path] = _Staged(Entry(int(mode, 8), oid), tag == "S")
    return found


def _complete(place: Place, begun: Iterable[Change], states: Mapping[bytes, On]) -> None:
    """Put the paths that were begun into the index as the landing has them, and write those cut short."""
    lines, write = [], []
    for path, _, after, _ in begun:
        mode, oid = after if after is not None else (0, ZERO_OID)
        lines.append(b"%06o %s\t%s\0" % (mode, oid.encode(), path))
        if states[path] == "partial":
            write.append(path + b"\0")
    run_git(["update-index", "-z", "--index-info"], cwd=place.worktree, input=b"".join(lines))
    run_git(["checkout-index", "-f", "-z", "--stdin"], cwd=place.worktree, input=b"".join(write))
    run_git(["update-index", "-q", "--refresh"], cwd=place.worktree, check=False)


def states_on_disk(place: Place, new: str, changes: Iterable[Change]) -> dict[bytes, On]:
    """What each path of a landing is on disk: as before it, as after it, cut short, or neither."""
    changes = list(changes)
    found = {change.path: _entry_on_disk(place, change.path) for change in changes}
    states: dict[bytes, On] = {}
    for path, before, after, _ in changes:
        there = found[path]
        if there == before:
            states[path] = "old"
        elif there == after:
            states[path] = "new"
        elif after is not None and (there is None or _is_cut_short(place, new, path)):
            states[path] = "partial"
        else:
            states[path] = "other"
    return states


def _entry_on_disk(place: Place, path: bytes) -> Entry | None:
    """The entry `git add` would make of a path now; None: nothing there."""
    full = os.path.join(os.fsencode(place.worktree), path)
    try:
        mode = os.lstat(full).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return Entry(SYMLINK, oid_of("blob", os.readlink(full)))
    if stat.S_ISDIR(mode):
        if not os.path.lexists(os.path.join(full, b".git")):
            return None  # a plain directory: files below it have paths of their own
        return Entry(GITLINK, run_git(["rev-parse", "HEAD"], cwd=full).out.decode("ascii").strip())
    oid = run_git(["hash-object", "--", path], cwd=place.worktree).out.decode("ascii").strip()
    return Entry(EXECUTABLE if mode & 0o100 else 0o100644, oid)


def _is_cut_short(place: Place, new: str, path: bytes) -> bool:
    """Whether the file is the beginning of what the landing was writing."""
    full = os.path.join(os.fsencode(place.worktree), path)
    if not stat.S_ISREG(os.lstat(full).st_mode):
        return False
    told = run_git(["cat-file", "--filters", new.encode() + b":" + path], cwd=place.worktree, check=False)
    with open(full, "rb") as file:
        return told.code == 0 and told.out.startswith(file.read())
