"""One commit made by the user's git on a second index, and the user's own index brought along.

The user's git makes it: hooks, signing and message rules run once, on exactly the given changes. Files are
never touched. A stale index would revert the commit at the user's next one, so the index is held for as long
as the branch is ahead of it:

1. write down the intent (``gitsession-commit`` in the git dir): HEAD, and the file that will be the lock;
2. take ``index.lock``, as git does;
3. make a second index of HEAD and the changes, and run ``git commit`` on it;
4. put the commit into the index, ``merge3(HEAD, index, commit)``: what is staged of something else stays so;
5. give back the lock, then the second index and the intent.

A crash in between leaves a lock that stops git, not a wrong index; :func:`finish_commit` takes it from there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from gitsessiond.model.errors import Refused, StoreFailed
from gitsessiond.model.values import Entry, Merge3
from gitsessiond.store.authoring import SIGNING
from gitsessiond.store.chain import read_commit
from gitsessiond.store.git import refused_by_surroundings, run_with_hooks
from gitsessiond.store.head import read_head
from gitsessiond.store.identity import asker_env
from gitsessiond.store.index import (
    Staged,
    commit_taken_in,
    copy_index,
    draft_lock,
    refresh_entries,
    remove_file,
    set_entries,
    staged_changes,
    take_lock,
)
from gitsessiond.store.layout import sync
from gitsessiond.store.outlasting import TAKEN, TAKEN_TIMES, held
from gitsessiond.store.store import Store
from gitsessiond.store.trees import diff_trees, edit_tree

INTENT, DRAFT = "gitsession-commit", "gitsession-lock"
UNSIGNED = "fatal: failed to write commit object"  # said when no signature could be made (builtin/commit.c)
SECOND, NEXT = "gitsession-index", "gitsession-index-next"

Changed = dict[bytes, tuple[Entry | None, Entry | None]]  # path -> before, after


@dataclass(frozen=True)
class Place:
    """Where a commit is made: a worktree and what is in its HEAD."""

    store: Store
    merge3: Merge3
    worktree: str
    git_dir: str
    head: str
    head_tree: str

    def path(self, name: str) -> str:
        """A file in the git dir."""
        return os.path.join(self.git_dir, name)

    def changed(self, tree: str) -> Changed:
        """The paths at which a tree differs from HEAD's."""
        return {change.path: (change.before, change.after) for change in diff_trees(self.store, self.head_tree, tree)}


@dataclass(frozen=True)
class Words:
    """What a commit says, and who says it."""

    message: bytes
    env: Mapping[str, str] = field(default_factory=dict)  # of the asker: identity, config, signing
    tty: str | None = None
    no_verify: bool = False


class Committed(NamedTuple):
    """The commit made, what git and the hooks said, and the staged entries that had to give way to it."""

    oid: str
    output: str
    clashes: dict[bytes, Entry | None]


def place_at(store: Store, merge3: Merge3, worktree: str, git_dir: str, head: str) -> Place:
    """The place whose HEAD is this commit."""
    return Place(store, merge3, worktree, git_dir, head, read_commit(store, head).tree)


def commit_changes(place: Place, changed: Changed, words: Words) -> Committed:
    """Make one commit of HEAD and ``changed``, whose blobs the repository has.

    Raises:
        Refused: the index is held or unmerged, or git or a hook said no; branch and index are as before.
        StoreFailed: git or the disk failed; :func:`finish_commit` puts right what was begun.
    """
    try:
        hold_index(place)
    except Refused:
        remove_file(place.path(INTENT))
        raise
    try:
        second = place.path(SECOND)
        copy_index(place.git_dir, second)
        staged = staged_changes(place.worktree, second, place.head)
        entries = {path: one.in_head for path, one in staged.items()}
        entries |= {path: after for path, (_, after) in changed.items()}
        set_entries(place.worktree, second, entries)
        whole = edit_tree(place.store, place.head_tree, {path: after for path, (_, after) in changed.items()})
        # no gc knows of this index
        with held(place.store.common_dir, whole, partial(place.store.to_repository, [whole])):
            oid, output = run_commit(place, second, words)
        clashes = take_in(place, staged, oid)
    except BaseException:
        finish_commit(place.store, place.merge3, place.worktree, place.git_dir, ended=True)
        raise
    clear(place.git_dir, True)
    return Committed(oid, output, clashes)


def run_commit(place: Place, index: str, words: Words) -> tuple[str, str]:
    """Let git commit an index; returns the commit's id and what was said.

    Raises:
        Refused: git or a hook said no, and HEAD is where it was.
        StoreFailed: the disk or a lock was in git's way.
    """
    for left in reversed(range(TAKEN_TIMES)):
        said = run_with_hooks(
            ["commit", "-q", "-F", "-", *(["--no-verify"] if words.no_verify else [])],
            cwd=place.worktree,
            input=words.message,
            env=commit_env(words) | {"GIT_INDEX_FILE": index},
        )
        output = (said.out + said.err).decode("utf-8", "replace").strip()
        head = read_head(place.git_dir)
        made = head.oid is not None and head.oid != place.head
        if made or not left or not TAKEN.search(said.words()):
            break
    if head.oid is None or not made:
        why = output or f"exit {said.code}"
        at_fault = refused_by_surroundings("git did not commit", said.words())
        if at_fault is not None:
            raise at_fault
        if UNSIGNED in output:
            raise StoreFailed(f"git did not commit: {said.words()}", hint=SIGNING)
        hint = "correct it, or repeat with --no-verify"
        raise Refused(f"git did not commit: {why}", hint=hint, reason="hook")
    return head.oid, output


def commit_env(words: Words) -> dict[str, str]:
    """The environment of ``git commit``: the asker's identity and config, never ours; our locale as it is."""
    unset = {f"GIT_{role}_{what}": "" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    around = {"LC_ALL": os.environ.get("LC_ALL", ""), "GIT_EDITOR": ":", "GPG_TTY": words.tty or ""}
    return unset | around | asker_env(words.env)


def take_in(place: Place, staged: Mapping[bytes, Staged], oid: str) -> dict[bytes, Entry | None]:
    """Put what a commit changed into the index, whose lock is held; returns staged entries that gave way."""
    changed = place.changed(read_commit(place.store, oid).tree)
    wrote: list[str] = []

    def write(content: bytes) -> str:
        wrote.append(place.store.put("blob", content))
        return wrote[-1]

    taken = commit_taken_in(staged, changed, place.merge3, place.store.blob, write)
    if taken.entries:
        place.store.to_repository(wrote)
        following = place.path(NEXT)
        copy_index(place.git_dir, following)
        set_entries(place.worktree, following, taken.entries)
        refresh_entries(place.worktree, following, [path for path, entry in taken.entries.items() if entry])
        os.replace(following, place.path("index"))
    return taken.clashes


def hold_index(place: Place) -> None:
    """Note durably what is under way, the commit stood on and which file is our lock; then take the lock.

    Raises:
        Refused: somebody holds the index; the note stays.
    """
    draft = draft_lock(place.git_dir, DRAFT)
    note = {"format": 1, "head": place.head, "lock": mark_of(draft)}
    with open(place.path(INTENT), "w", encoding="ascii") as file:
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
    sync(place.git_dir)
    take_lock(place.git_dir, draft)


def finish_commit(store: Store, merge3: Merge3, worktree: str, git_dir: str, *, ended: bool = False) -> bool:
    """End a commit of ours, or one that a crash cut off; False: somebody is still at work on it.

    HEAD where it was: nothing was committed. HEAD one commit on: the index takes that commit in, if it has
    not yet. HEAD elsewhere: the user went on, and the index is theirs. Then lock, second index and intent go.
    ``ended``: its git is known to have ended (what it left in the background has its environment).
    """
    intent = read_intent(git_dir)
    if intent is None:
        return True
    if not ended and index_in_use(os.path.join(git_dir, SECOND)):
        return False
    lock = os.path.join(git_dir, "index.lock")
    mark = mark_of(lock)
    held = mark is not None and mark == intent.get("lock")
    head, old = read_head(git_dir).oid, str(intent.get("head"))
    if head is not None and head != old and read_commit(store, head).parents[:1] == (old,):
        place = place_at(store, merge3, worktree, git_dir, old)
        try:
            if not held:
                hold_index(place)
                held = True
            copy_index(git_dir, place.path(NEXT))
            take_in(place, staged_changes(worktree, place.path(NEXT), old), head)
        except Refused:
            return False  # another git holds the index, or a path is unmerged: asked again at the next look
    clear(git_dir, held)
    return True


def clear(git_dir: str, held: bool) -> None:
    """Remove the files of a commit that is over; the lock if it is ours, and the intent last."""
    for name in [*(["index.lock"] if held else []), DRAFT, NEXT, SECOND + ".lock", SECOND, INTENT]:
        remove_file(os.path.join(git_dir, name))


def read_intent(git_dir: str) -> dict[str, object] | None:
    """The note of a commit under way; None: there is none. One cut short says only that there was one."""
    try:
        with open(os.path.join(git_dir, INTENT), encoding="ascii") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def mark_of(path: str) -> list[int] | None:
    """What tells a lock file from any other; None: there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_dev, found.st_ino, found.st_mtime_ns]


def index_in_use(path: str) -> bool:
    """Whether a process works on the second index: git's commit outlives a daemon that was killed."""
    needle = b"\0GIT_INDEX_FILE=" + os.fsencode(path) + b"\0"
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return False  # no /proc here: nothing can be told
    for number in numbers:
        try:
            with open(f"/proc/{number}/environ", "rb") as file:
                if needle in b"\0" + file.read() + b"\0":
                    return True
        except OSError:
            continue  # it ended, or is another user's
    return False
