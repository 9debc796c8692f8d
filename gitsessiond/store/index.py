"""The user's index beside a commit of ours: what is staged there, and how it takes the commit in.

git's index belongs to the user's git. It is read and written by git itself, always on a copy named by
``GIT_INDEX_FILE``; only a finished copy is renamed over it, while ``index.lock`` is held as git holds it
(git's lockfile.h).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitsessiond.model.errors import Refused
from gitsessiond.model.hints import git_words
from gitsessiond.model.values import EXECUTABLE, REGULAR, Entry, Merge3, ReadBlob, WriteBlob, is_binary
from gitsessiond.store.git import run_git


class Staged(NamedTuple):
    """A path that differs between HEAD and the index; None: it has no such path."""

    in_head: Entry | None
    in_index: Entry | None


class Taken(NamedTuple):
    """The index after a commit: entries to set (None: to remove), and staged entries that had to give way."""

    entries: dict[bytes, Entry | None]
    clashes: dict[bytes, Entry | None]


def is_index(git_dir: str) -> bool:
    """Whether a worktree's index begins as git's do (gitformat-index(5)); one that is not there is an empty one."""
    try:
        with open(os.path.join(git_dir, "index"), "rb") as file:
            return file.read(4) == b"DIRC"
    except FileNotFoundError:
        return True
    except OSError:
        return False


def draft_lock(git_dir: str, draft: str) -> str:
    """Make the file that is to become ``index.lock``, so that it can be told from any other; returns its path."""
    path = os.path.join(git_dir, draft)
    remove_file(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    return path


def take_lock(git_dir: str, draft: str) -> None:
    """Hold a worktree's index as git does, with the drafted file.

    Raises:
        Refused: somebody holds it.
    """
    try:
        os.link(draft, os.path.join(git_dir, "index.lock"))
    except FileExistsError as exc:
        raise Refused("git is at work here (index.lock)", hint="git status", reason="index_lock") from exc
    finally:
        remove_file(draft)


def copy_index(git_dir: str, to: str) -> None:
    """Copy the worktree's index; a missing index is an empty one, which git reads from no file at all.

    With its time: by that git tells a file that was changed in the very second in which it was added (git's
    racy-git.txt). A younger copy would have it believe the entry.
    """
    try:
        shutil.copy2(os.path.join(git_dir, "index"), to)
    except FileNotFoundError:
        remove_file(to)


def staged_changes(worktree: str, index: str, head: str = "HEAD") -> dict[bytes, Staged]:
    """Where an index differs from a commit. Paths of ``add -N`` do not: they have no content yet.

    Raises:
        Refused: a path is unmerged.
        StoreFailed: git cannot read the index.
    """
    told = run_git(
        ["diff-index", "--cached", "--ita-invisible-in-index", "--raw", "-z", "--no-renames", "--no-abbrev", head],
        cwd=worktree,
        env={"GIT_INDEX_FILE": index},
    ).out
    fields = told.split(b"\0")
    found: dict[bytes, Staged] = {}
    for words, path in zip(fields[::2], fields[1::2], strict=False):
        head_mode, mode, head_oid, oid, status = words[1:].decode("ascii").split(" ")
        if status.startswith("U"):
            raise Refused(
                f"{os.fsdecode(path)} is unmerged in the index",
                hint=git_words(worktree, "mergetool", "--", os.fsdecode(path)),
            )
        found[path] = Staged(_entry(head_mode, head_oid), _entry(mode, oid))
    return found


def _entry(mode: str, oid: str) -> Entry | None:
    """One side of a raw diff line; mode 0 is no entry."""
    number = int(mode, 8)
    return Entry(number, oid) if number else None


def set_entries(worktree: str, index: str, entries: Mapping[bytes, Entry | None]) -> None:
    """Set and remove entries of an index; their stat data is left for git to fill in.

    Raises:
        StoreFailed: git could not write it.
    """
    if not entries:
        return
    lines = [b"0 " + b"0" * 40 + b"\t" + path + b"\0" for path, entry in entries.items() if entry is None]
    lines += [
        f"{entry.mode:06o} {entry.oid}\t".encode("ascii") + path + b"\0"
        for path, entry in entries.items()
        if entry is not None
    ]
    run_git(
        ["update-index", "--replace", "-z", "--index-info"],
        cwd=worktree,
        env={"GIT_INDEX_FILE": index},
        input=b"".join(lines),
    )


def leave_out(worktree: str, index: str, paths: Iterable[bytes]) -> None:
    """Mark entries of an index as not wanted on disk, as a sparse checkout does; setting an entry loses the mark.

    Raises:
        StoreFailed: git could not write it.
    """
    listed = b"".join(path + b"\0" for path in paths)
    if listed:
        words = ["update-index", "--skip-worktree", "-z", "--stdin"]
        run_git(words, cwd=worktree, env={"GIT_INDEX_FILE": index}, input=listed)


def refresh_entries(worktree: str, index: str, paths: Iterable[bytes]) -> None:
    """Fill in the stat data of these paths, so that nothing looks changed that is not. May fail."""
    listed = b"".join(path + b"\0" for path in paths)
    if listed:
        run_git(
            ["--literal-pathspecs", "add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul"],
            cwd=worktree,
            env={"GIT_INDEX_FILE": index},
            input=listed,
            check=False,
        )


def commit_taken_in(
    staged: Mapping[bytes, Staged],
    commit: Mapping[bytes, tuple[Entry | None, Entry | None]],
    merge3: Merge3,
    read: ReadBlob,
    write: WriteBlob,
) -> Taken:
    """What the index becomes when a commit changes paths (before, after): ``merge3(HEAD, index, commit)``.

    What is staged at other paths stays; at the commit's own paths it is merged in, and where that is no clean
    merge the commit's entry wins and the staged one is told.
    """
    taken = Taken({}, {})
    for path, (before, after) in commit.items():
        at = staged.get(path)
        if at is None or at.in_index in (before, after):
            if at is None or at.in_index != after:
                taken.entries[path] = after
            continue
        merged = _merged((before, at.in_index, after), merge3, read, write)
        if merged is None:
            taken.clashes[path] = at.in_index
        taken.entries[path] = merged or after
    return taken


def _merged(
    sides: tuple[Entry | None, Entry | None, Entry | None], merge3: Merge3, read: ReadBlob, write: WriteBlob
) -> Entry | None:
    """The clean three-way merge of two changed files; None: there is none."""
    before, ours, theirs = sides
    if before is None or ours is None or theirs is None:
        return None
    if not {before.mode, ours.mode, theirs.mode} <= {REGULAR, EXECUTABLE}:
        return None
    mode = ours.mode if ours.mode != before.mode else theirs.mode
    if before.oid in (ours.oid, theirs.oid) or ours.oid == theirs.oid:
        return Entry(mode, theirs.oid if ours.oid == before.oid else ours.oid)
    texts = [read(entry.oid) for entry in (before, ours, theirs)]
    if any(is_binary(text) for text in texts):
        return None
    merged = merge3(*texts)
    return None if merged.conflicts else Entry(mode, write(merged.content))


def remove_file(path: str) -> None:
    """Remove a file that may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # what was wanted
