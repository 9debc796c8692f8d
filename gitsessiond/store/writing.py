"""Write recorded contents back into a worktree (restore), losing no byte that somebody wrote meanwhile.

Nothing is written before every path was checked. A file in place is *exchanged* with the new one
(renameat2(2), ``RENAME_EXCHANGE``) and only then compared with what is recorded: another's save made in
between is put back, never overwritten. New contents are prepared under ``.gitsession/`` of the worktree: on
the same file system, and never recorded.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from gitsessiond.model.errors import Moved, Refused, StoreFailed
from gitsessiond.model.hints import aside_words, git_words
from gitsessiond.model.names import quote_path
from gitsessiond.model.values import EXECUTABLE, GITLINK, SYMLINK, Entry
from gitsessiond.store.below import opened
from gitsessiond.store.known import Known
from gitsessiond.store.leases import give_back, take_lease
from gitsessiond.store.objects import oid_of
from gitsessiond.store.renaming import EXCHANGE, NOREPLACE, rename
from gitsessiond.store.scan import CONTROL
from gitsessiond.store.trees import Trees
from gitsessiond.store.worktree import WorkTree

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Draft(NamedTuple):
    """One path: the name of its prepared file (None: it is removed), and what must be there now."""

    path: bytes
    ready: bytes | None
    expected: Known | None


def write_files(
    tree: WorkTree,
    wanted: Mapping[bytes, Entry | None],
    now: Mapping[bytes, Entry | None],
    raws: Mapping[bytes, str],
    store: Trees,
) -> None:
    """Make these paths of the worktree what ``wanted`` says; None removes one.

    Args:
        now: what is recorded of each path; the disk must still have it.
        raws: the blob of the disk's bytes then, where it is not the entry's; without one a path's filters are
            run by git.

    Raises:
        Moved: somebody saved one of the paths meanwhile; that one and all after it are as they were.
        Refused: a path is a submodule, lies behind a symbolic link, or something unrecorded is in the way; or
            ``.gitsession`` is no directory.
        StoreFailed: the disk or a filter refused.
    """
    root = os.fsencode(tree.repository.worktree)
    for path in wanted:
        _check(tree, root, path, wanted, now.get(path))
    control = os.path.join(root, CONTROL)
    _check_control(control)
    made = not os.path.lexists(control)
    try:
        with _scratch(root) as scratch:
            drafts = _prepared(tree, scratch, wanted, raws, store)
            removals = [draft for draft in drafts if draft.ready is None]
            for draft in removals + [draft for draft in drafts if draft.ready is not None]:
                _put(root, scratch, draft)
            _sync_directories(root, wanted)
    except OSError as exc:
        raise StoreFailed(f"cannot write {exc.filename!r}: {exc.strerror}", hint="git session status") from exc
    finally:
        if made:
            _remove_if_empty(control)


@contextmanager
def _scratch(root: bytes) -> Iterator[int]:
    """A new directory below ``.gitsession/``, whatever leads elsewhere; it goes with all that is in it."""
    with opened(root, CONTROL, make=True) as control:
        name = f"restore-{secrets.token_hex(4)}"
        os.mkdir(name, 0o700, dir_fd=control)
        try:
            holder = os.open(name, _DIRECTORY, dir_fd=control)
            try:
                yield holder
            finally:
                os.close(holder)
        finally:
            shutil.rmtree(name, ignore_errors=True, dir_fd=control)


def _check_control(control: bytes) -> None:
    """Refuse to prepare files behind a link."""
    if os.path.lexists(control) and (os.path.islink(control) or not os.path.isdir(control)):
        kind = "a symbolic link" if os.path.islink(control) else "a file"
        raise Refused(f"{quote_path(CONTROL)} is {kind}", hint=aside_words(os.fsdecode(control)))


def _check(tree: WorkTree, root: bytes, path: bytes, wanted: Mapping[bytes, Entry | None], now: Entry | None) -> None:
    """Refuse a path that must not or cannot be written; nothing is changed."""
    entry = wanted[path]
    if GITLINK in (entry.mode if entry else 0, now.mode if now else 0):
        raise Refused(
            f"{quote_path(path)} is a submodule",
            hint=git_words(os.fsdecode(root), "submodule", "update", "--", os.fsdecode(path)),
        )
    parts = path.split(b"/")
    for number in range(1, len(parts)):
        parent = b"/".join(parts[:number])
        step = os.path.join(root, parent)
        if not os.path.lexists(step) or (os.path.isdir(step) and not os.path.islink(step)):
            continue
        if parent not in wanted or wanted[parent] is not None:
            kind = "a symbolic link" if os.path.islink(step) else "a file"
            raise Refused(f"{quote_path(parent)} is {kind}", hint=aside_words(os.fsdecode(step)))
        return  # it goes first, and what a link shows behind it is not the worktree's
    full = os.path.join(root, path)
    if os.path.isdir(full) and not os.path.islink(full):
        _check_directory(full, path, wanted)
    elif now is None and os.path.lexists(full) and path not in tree.known:
        raise Refused(f"{quote_path(path)} is there but not recorded", hint=aside_words(os.fsdecode(full)))


def _check_directory(full: bytes, path: bytes, wanted: Mapping[bytes, Entry | None]) -> None:
    """A directory stands where a file is wanted: all that is in it must be about to go."""
    for above, _, names in os.walk(full):
        for name in names:
            inner = path + os.path.join(above, name)[len(full) :]
            if wanted.get(inner, path) is not None:
                raise Refused(
                    f"{quote_path(inner)} is in the way of {quote_path(path)}",
                    hint=aside_words(os.fsdecode(os.path.join(above, name))),
                )


def _prepared(
    tree: WorkTree,
    scratch: int,
    wanted: Mapping[bytes, Entry | None],
    raws: Mapping[bytes, str],
    store: Trees,
) -> list[Draft]:
    """A finished, synced file for every path that is to be there."""
    drafts = []
    for number, (path, entry) in enumerate(wanted.items()):
        name = None if entry is None else b"%d" % number
        if entry is not None and name is not None:
            raw = raws.get(path)
            data = store.read(raw or entry.oid).data
            if entry.mode == SYMLINK:
                os.symlink(data, name, dir_fd=scratch)
            else:
                _write(scratch, name, data if raw else tree.smudged(path, entry.oid, data), entry.mode)
        drafts.append(Draft(path, name, tree.known.get(path)))
    return drafts


def _write(scratch: int, ready: bytes, data: bytes, mode: int) -> None:
    """Write and sync one file with the rights a new file of its mode gets here."""
    rights = 0o777 if mode == EXECUTABLE else 0o666
    descriptor = os.open(ready, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, rights, dir_fd=scratch)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(root: bytes, scratch: int, draft: Draft) -> None:
    """Put one prepared file in its place, or remove what is there, if that is still what is recorded."""
    name = os.path.basename(draft.path)
    if draft.ready is None and not os.path.lexists(os.path.join(root, draft.path)):
        return
    if draft.expected is None:
        _make_way(os.path.join(root, draft.path))
    with opened(root, os.path.dirname(draft.path), make=True, rights=0o777) as place:
        if draft.expected is None:
            if draft.ready is not None and not rename(scratch, draft.ready, place, name, NOREPLACE):
                raise _moved(draft.path)
            return
        aside, how = (b"removed", NOREPLACE) if draft.ready is None else (draft.ready, EXCHANGE)
        if draft.ready is not None:
            _keep_rights(place, name, scratch, aside)
        if not rename(place, name, scratch, aside, how):
            raise _moved(draft.path)
        recorded = False
        try:
            recorded = _is_recorded(scratch, aside, draft.expected)
        finally:
            if not recorded:
                _put_back(scratch, aside, place, name, how)
        if not recorded:
            raise _moved(draft.path)
        os.unlink(aside, dir_fd=scratch)
    if draft.ready is None:
        _remove_empty_parents(root, draft.path)


def _put_back(scratch: int, aside: bytes, place: int, name: bytes, how: int) -> None:
    """Put what somebody else saved back in its place; beside it where that was taken, or removed, just now."""
    if rename(scratch, aside, place, name, how):
        return
    beside, number = name + b".saved", 1
    while not rename(scratch, aside, place, beside, NOREPLACE):
        number += 1
        beside = b"%s.saved-%d" % (name, number)


def _make_way(full: bytes) -> None:
    """Directories without any file, where a new file is to be, go."""
    if os.path.isdir(full) and not os.path.islink(full):
        for above, _, _ in os.walk(full, topdown=False):
            os.rmdir(above)


def _moved(path: bytes) -> Moved:
    return Moved(f"{quote_path(path)} was saved meanwhile", hint="the same command again")


def _keep_rights(place: int, name: bytes, scratch: int, ready: bytes) -> None:
    """Give the new file the old one's rights; only the executable bits are the recorded ones."""
    try:
        old = os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return  # the rename finds out
    new = os.stat(ready, dir_fd=scratch, follow_symlinks=False)
    if stat.S_ISREG(old.st_mode) and stat.S_ISREG(new.st_mode):
        rights = stat.S_IMODE(old.st_mode) & 0o666
        if new.st_mode & stat.S_IXUSR:
            rights |= (rights & 0o444) >> 2
        os.chmod(ready, rights, dir_fd=scratch)


def _is_recorded(scratch: int, aside: bytes, expected: Known) -> bool:
    """Whether a file has the recorded bytes, and nobody has it open for writing."""
    wanted = expected.raw or (expected.entry.oid if expected.entry else None)
    found = os.stat(aside, dir_fd=scratch, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        return oid_of("blob", os.readlink(aside, dir_fd=scratch)) == wanted
    if not stat.S_ISREG(found.st_mode):
        return False
    descriptor = os.open(aside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=scratch)
    with open(descriptor, "rb") as file:
        state = take_lease(descriptor)
        if state == "held":
            give_back(descriptor)
        return state != "busy" and oid_of("blob", file.read()) == wanted


def _remove_empty_parents(root: bytes, path: bytes) -> None:
    """Directories that became empty go, as with git."""
    above = os.path.dirname(path)
    while above and _remove_if_empty(os.path.join(root, above)):
        above = os.path.dirname(above)


def _remove_if_empty(directory: bytes) -> bool:
    """Remove a directory that has nothing in it; tells whether it had."""
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True


def _sync_directories(root: bytes, paths: Iterable[bytes]) -> None:
    """Make the new names durable."""
    for directory in {os.path.join(root, os.path.dirname(path)) for path in paths}:
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue  # removed with its last file
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
