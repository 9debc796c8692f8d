"""Control files are shown step by step: front's loop hears others between two steps (docs/control-files.md).

Whatever happens between two steps, each file is written only if what is there is as expected at that very moment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping

from gitsessiond.daemon.control_dir import Save
from gitsessiond.daemon.control_files import KNOWN, ControlFiles, is_kept
from gitsessiond.daemon.control_held import GATHER_S, Held
from gitsessiond.daemon.control_texts import PATCHES, REQUESTS, shown_patches

STEP_S = 0.0005  # then a step ends, with the file it is at; to write one takes 1 ms more

MayWrite = Callable[[bytes | None], bool]  # asked before each write; told the path where no file is any more


def go_on(held: Held, clock: Callable[[], float] = time.perf_counter) -> None:
    """Do one step of what is being shown."""
    until = clock() + STEP_S
    for _ in held.showing or ():
        if clock() >= until:
            return
    held.showing = None


def finish(held: Held) -> None:
    """Do all that is left of what is being shown."""
    for _ in held.showing or ():
        pass
    held.showing = None


def show(files: ControlFiles, texts: Mapping[bytes, bytes]) -> list[bytes]:
    """Have the files hold these texts, at once; returns those that somebody saved and nobody has read."""
    unread: list[bytes] = []
    for _ in steps_of(files, texts, lambda gone: files.dir.is_there(), unread.append):
        pass
    return unread


def showing(held: Held, texts: Mapping[bytes, bytes]) -> Iterator[None]:
    """Have a worktree's files hold these texts, unless somebody is deleting them."""
    missing = set()
    for path in list(held.files.ours):
        if held.files.is_missing(path):
            missing.add(path)
        yield
    now = time.monotonic()
    if missing != held.missing:  # somebody is deleting
        held.missing = missing
        held.hold(now)
    if held.is_held(now):
        return
    held.files.take_in_copy()
    care = Care(held)
    if not (yield from steps_of(held.files, texts, care.may_write, care.unread)):
        return
    held.missing = set()
    for directory, patch in shown_patches(held.view["status"]["patches"]).items():
        inode = held.files.dir.inode(PATCHES + b"/" + directory)
        if inode is not None:
            held.places[patch["id"]] = inode
        yield


class Care:
    """What others do to the files while they are shown; what is not shown for that is shown later."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._known = held.files.dir.signature(KNOWN)

    def unread(self, path: bytes) -> None:
        """Somebody saved this, and nobody has read it."""
        self._held.touched.setdefault(path, time.monotonic())

    def may_write(self, gone: bytes | None = None) -> bool:
        """Whether nobody removes the worktree, deletes files or copies others over them just now."""
        held, files, now = self._held, self._held.files, time.monotonic()
        if not files.dir.is_there():
            held.missing = set()
            return False
        known = files.dir.signature(KNOWN)
        if known is None and files.is_known(KNOWN):
            gone = KNOWN
        if gone is not None and files.is_known(gone) and gone not in held.missing:
            held.hold(now)
        elif known not in (None, self._known, files.ours.get(KNOWN)):  # what came along with it is no wish
            held.show_by(now + GATHER_S)
            return False
        return not held.is_held(now)


def steps_of(
    files: ControlFiles, texts: Mapping[bytes, bytes], may_write: MayWrite, unread: Callable[[bytes], None]
) -> Generator[None, None, bool]:
    """Have the files hold these texts; whether that was done to the end. ``unread``: told of others' saves.

    Nothing is written where all is so already. Between two steps the disk may be left as it is: the next daemon tells
    by ``.known`` what was there and what was to be.
    """
    if not may_write(None):
        return False
    try:
        files.dir.make(REQUESTS)
        files.dir.make(PATCHES)
    except OSError as exc:
        files.tell(str(exc.strerror))
        return True
    wanted = files.wanted(texts)
    changed = [path for path, text in wanted.items() if files.written.get(path) != text]
    if changed:
        told = files.told()
        for path in changed:
            yield
            told[path] = [*told.get(path, ()), files.digest(path, wanted[path])]
        if not may_write(None):
            return False
        files.keep_known(told)
    for path, text in wanted.items():
        yield
        if not show_one(files, path, text, may_write, unread):
            return False
    if not (yield from drop_others(files, wanted, may_write)):
        return False
    yield
    if not may_write(None):
        return False
    files.drop_emptied()  # and at once what comes of it: that they are gone will be heard as a deletion
    files.former = {path: told for path, told in files.former.items() if path in wanted}
    now_told = files.told()
    if files.hides_wish(now_told):
        files.keep_known(now_told)
    yield
    return True


def show_one(
    files: ControlFiles, path: bytes, text: bytes, may_write: MayWrite, unread: Callable[[bytes], None]
) -> bool:
    """Have one file hold this; False where nothing may be written now."""
    if path in files.waiting:
        return True
    found = files.dir.signature(path)
    if found == files.ours.get(path, ()) and files.written.get(path) == text:
        return True
    if found is not None and found != files.ours.get(path):
        unread(path)
        return True
    if not may_write(path if found is None else None):
        return False
    if not files.put(path, text, found) and files.dir.signature(path) != found:
        unread(path)
    return True


def drop_others(files: ControlFiles, wanted: Mapping[bytes, bytes], may_write: MayWrite) -> Generator[None, None, bool]:
    """Take away what shows nothing any more, what a former daemon wrote too, of another session even."""
    for path in [path for path in (*files.ours, *files.former) if path not in wanted and not is_kept(path)]:
        yield
        save = files.dir.read(path) if path not in files.ours else None
        if isinstance(save, Save):
            files.is_as_written(path, save)  # it is ours then
        if path in files.ours:
            if not may_write(None):
                return False
            files.drop(path)
        files.emptied.add(os.path.dirname(path))
    return True
